// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The kernel part of the live collector: process execution, FIFO creation, bind and connect on UNIX sockets. Tracepoints only, so that it loads without
// kernel headers and under lockdown. Reports what succeeded (connect: also what is still in progress). Judges nothing; what no rule looks at it hardly begins.
// Only the kernel fields used here are declared; CO-RE finds their real offsets at load time.
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel_event.h"

#define AF_UNIX 1
#define S_IFMT 0170000
#define S_IFIFO 0010000
#define EINPROGRESS 115
#define AT_FDCWD -100
#define KNOWN_PROCESSES 4             /* a processor remembers so many, to describe the one that acts again without looking it all up */
#define KNOWN_FOR_NS 1000000000ull    /* and so long: a renamed file or folder has its new name in events after that */

typedef unsigned long long u64;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct qstr { const unsigned char *name; };
struct dentry { struct dentry *d_parent; struct qstr d_name; };
struct vfsmount { struct dentry *mnt_root; };
struct mount { struct mount *mnt_parent; struct dentry *mnt_mountpoint; struct vfsmount mnt; };
struct path { struct vfsmount *mnt; struct dentry *dentry; };
struct file { struct path f_path; };
struct fs_struct { struct path pwd; };
struct mm_struct { unsigned long arg_start, arg_end; struct file *exe_file; };
struct task_struct { int exit_code; int tgid; u64 start_boottime; u64 self_exec_id; struct task_struct *real_parent, *group_leader; struct mm_struct *mm; struct fs_struct *fs; };
#if defined(__TARGET_ARCH_x86)
struct pt_regs { unsigned long di, si, dx; };
#define ARGUMENT_1(regs) ((regs)->di)
#define ARGUMENT_2(regs) ((regs)->si)
#define ARGUMENT_3(regs) ((regs)->dx)
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs { u64 regs[31]; u64 orig_x0; };
#define ARGUMENT_1(regs) ((regs)->orig_x0)
#define ARGUMENT_2(regs) ((regs)->regs[1])
#define ARGUMENT_3(regs) ((regs)->regs[2])
#else
#error "where this processor keeps the arguments of a system call is not written here yet"
#endif
#pragma clang attribute pop

struct syscall_exit { u64 common; long number; long result; };

/* Where a walk from a path's last part to its first stands. In a map and not on the stack: what the verifier does not track it need not enumerate. */
struct walk {
  struct mount *mount;
  struct dentry *root;   /* of the mount */
  struct dentry *dentry;
  unsigned int at;       /* next free byte of data */
  unsigned int done;
};

/* What the description of a process follows from. Pointers are compared, never followed: with the times and counts beside them they do not come twice. */
struct identity {
  u64 started, parent_started;
  u64 executed, parent_executed;
  u64 mm, exe, cwd, cwd_mount, cwd_parent;
};

struct known {
  struct identity identity;
  u64 until_ns;            /* 0: not known */
  unsigned int used;       /* bytes of data that describe the process; they stay as they are while events are put behind them */
  unsigned int flags;
  struct walk walk;
  struct ce_event event;
};

struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 8 << 20); } events SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, KNOWN_PROCESSES); __type(key, unsigned int); __type(value, struct known); } processes SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(map_flags, BPF_F_MMAPABLE); __uint(max_entries, 1); __type(key, unsigned int); __type(value, struct ce_shared); } shared SEC(".maps");

/* Events that no loaded rule looks at: one in CE_SAMPLED_EACH is sent all the same, so that there is something to rehearse the next rules on. */
static __always_inline int is_wanted(unsigned int kind) {
  unsigned int zero = 0;
  struct ce_shared *told = bpf_map_lookup_elem(&shared, &zero);
  return !told || !(told->unwanted >> kind & 1) || bpf_get_prandom_u32() % CE_SAMPLED_EACH == 0;
}

static long walk_step(unsigned int index, void *which) {
  struct known *known = bpf_map_lookup_elem(&processes, which);
  if (!known) return 1;
  struct walk *walk = &known->walk;
  struct dentry *dentry = walk->dentry;
  struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
  if (dentry == walk->root || dentry == parent) { /* top of this file system: go on where it is mounted */
    struct mount *mount = walk->mount;
    struct mount *above = BPF_CORE_READ(mount, mnt_parent);
    if (above == mount || !above) {
      walk->done = 1;
      return 1;
    }
    walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
    walk->mount = above;
    walk->root = BPF_CORE_READ(above, mnt.mnt_root);
    return 0;
  }
  unsigned int at = walk->at;
  if (at >= CE_DATA_BYTES_MAX - CE_NAME_BYTES_MAX) return 1;
  long n = bpf_probe_read_kernel_str(&known->event.data[at & 8191], CE_NAME_BYTES_MAX, BPF_CORE_READ(dentry, d_name.name));
  if (n <= 0) return 1;
  walk->at = at + (unsigned int)n;
  walk->dentry = parent;
  return 0;
}

/* Appends the parts of a path at `offset`; returns the number of bytes. */
static __always_inline unsigned int put_path(struct known *known, unsigned int which, unsigned int offset, struct vfsmount *vfs, struct dentry *dentry) {
  struct walk *walk = &known->walk;
  walk->mount = (struct mount *)((char *)vfs - bpf_core_field_offset(struct mount, mnt));
  walk->root = BPF_CORE_READ(vfs, mnt_root);
  walk->dentry = dentry;
  walk->at = offset;
  walk->done = 0;
  bpf_loop(CE_PATH_PARTS_MAX, walk_step, &which, 0);
  if (!walk->done) known->flags |= CE_PATH_CUT;
  return (walk->at - offset) & 8191;
}

static __always_inline void put_exe(struct known *known, unsigned int which, unsigned int offset, struct mm_struct *mm, unsigned short *bytes) {
  struct file *file = BPF_CORE_READ(mm, exe_file);
  if (!file) return;
  *bytes = (unsigned short)put_path(known, which, offset, BPF_CORE_READ(file, f_path.mnt), BPF_CORE_READ(file, f_path.dentry));
}

static __always_inline void count_lost(void) {
  unsigned int zero = 0;
  struct ce_shared *told = bpf_map_lookup_elem(&shared, &zero);
  if (told) __sync_fetch_and_add(&told->lost, 1);
}

static __always_inline void send(struct ce_event *event, unsigned int data_bytes) {
  if (data_bytes > CE_DATA_BYTES_MAX) data_bytes = CE_DATA_BYTES_MAX;
  if (bpf_ringbuf_output(&events, event, (CE_HEAD_BYTES + data_bytes) & 16383, 0)) count_lost();
}

/* Who it is: program, parent's program, working directory, command line; at most 7935 bytes of data. */
static __always_inline void describe(struct known *known, unsigned int which, struct task_struct *task) {
  struct ce_event *event = &known->event;
  known->flags = 0;
  event->exe_bytes = event->parent_exe_bytes = event->cwd_bytes = event->arguments_bytes = 0;
  struct mm_struct *mm = BPF_CORE_READ(task, mm);
  put_exe(known, which, 0, mm, &event->exe_bytes);
  unsigned int used = event->exe_bytes;
  put_exe(known, which, used, BPF_CORE_READ(task, real_parent, mm), &event->parent_exe_bytes);
  used += event->parent_exe_bytes;
  event->cwd_bytes = (unsigned short)put_path(known, which, used, BPF_CORE_READ(task, fs, pwd.mnt), BPF_CORE_READ(task, fs, pwd.dentry));
  used += event->cwd_bytes;
  if (used > CE_DATA_BYTES_MAX - CE_ARGUMENT_BYTES_MAX - CE_NAME_BYTES_MAX) { /* paths of kilobytes: keep the first, say so */
    known->flags |= CE_PATH_CUT;
    event->parent_exe_bytes = event->cwd_bytes = 0;
    used = event->exe_bytes;
    if (used > CE_DATA_BYTES_MAX - CE_ARGUMENT_BYTES_MAX - CE_NAME_BYTES_MAX) used = event->exe_bytes = 0;
  }
  unsigned long start = BPF_CORE_READ(mm, arg_start), end = BPF_CORE_READ(mm, arg_end);
  unsigned long bytes = end > start ? end - start : 0;
  if (bytes > CE_ARGUMENT_BYTES_MAX) {
    bytes = CE_ARGUMENT_BYTES_MAX;
    known->flags |= CE_ARGUMENTS_CUT;
  }
  used &= 4095;
  bytes &= 4095;
  if (bytes && bpf_probe_read_user(&event->data[used], (unsigned int)bytes, (void *)start) == 0) event->arguments_bytes = (unsigned short)bytes;
  else if (bytes) known->until_ns = 0; /* its page is not there now: asked again at the next event */
  known->used = used + event->arguments_bytes;
}

/* The event's head and its process, the latter as it was described last where nothing about it has changed since. */
static __always_inline struct known *begin(unsigned short kind) {
  struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();
  struct task_struct *parent = BPF_CORE_READ(task, real_parent);
  const unsigned int pid = (unsigned int)(bpf_get_current_pid_tgid() >> 32);
  unsigned int which = (pid ^ pid >> 4) % KNOWN_PROCESSES;
  struct known *known = bpf_map_lookup_elem(&processes, &which);
  if (!known) return 0;
  const u64 now = bpf_ktime_get_boot_ns();
  struct identity *was = &known->identity;
  const struct dentry *cwd = BPF_CORE_READ(task, fs, pwd.dentry);
  const struct identity is = {.started = BPF_CORE_READ(task, group_leader, start_boottime), .parent_started = BPF_CORE_READ(parent, start_boottime), .executed = BPF_CORE_READ(task, self_exec_id),
                              .parent_executed = BPF_CORE_READ(parent, self_exec_id), .mm = (u64)BPF_CORE_READ(task, mm), .exe = (u64)BPF_CORE_READ(task, mm, exe_file), .cwd = (u64)cwd,
                              .cwd_mount = (u64)BPF_CORE_READ(task, fs, pwd.mnt), .cwd_parent = (u64)BPF_CORE_READ(cwd, d_parent)};
  struct ce_event *event = &known->event;
  if (kind == CE_EXEC || now >= known->until_ns || event->pid != pid || was->started != is.started || was->parent_started != is.parent_started || was->executed != is.executed || was->parent_executed != is.parent_executed ||
      was->mm != is.mm || was->exe != is.exe || was->cwd != is.cwd || was->cwd_mount != is.cwd_mount || was->cwd_parent != is.cwd_parent) {
    known->identity = is;
    known->until_ns = now + KNOWN_FOR_NS;
    event->version = CE_VERSION;
    event->pid = pid;
    event->parent_pid = (unsigned int)BPF_CORE_READ(parent, tgid);
    describe(known, which, task);
  }
  event->kind = kind;
  event->flags = known->flags;
  event->boot_ns = now;
  event->uid = (unsigned int)bpf_get_current_uid_gid();
  event->mode = 0;
  event->name_bytes = 0;
  return known;
}

SEC("tracepoint/sched/sched_process_exec")
int on_exec(void *context) {
  struct known *known = begin(CE_EXEC);
  if (known) send(&known->event, known->used);
  return 0;
}

/* Counted where a process as a whole ends: when its first thread does. */
SEC("tracepoint/sched/sched_process_exit")
int on_exit(void *context) {
  u64 id = bpf_get_current_pid_tgid();
  if ((unsigned int)id != (unsigned int)(id >> 32)) return 0;
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  unsigned int signal = (unsigned int)BPF_CORE_READ(task, exit_code) & 0x7f;
  if (signal >= 32 || !((CE_CRASH_SIGNALS >> signal) & 1)) return 0;
  unsigned int zero = 0;
  struct ce_shared *told = bpf_map_lookup_elem(&shared, &zero);
  if (told) __sync_fetch_and_add(&told->crashed, 1);
  return 0;
}

/* The arguments are read when the call is over: it has just read them itself, so that their pages are there; and of calls that failed nothing is read. */
static __always_inline struct pt_regs *arguments(void) { return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()); }

static __always_inline int on_mknod(int folder, unsigned long name, unsigned long mode) {
  if ((mode & S_IFMT) != S_IFIFO || !is_wanted(CE_MKNOD)) return 0;
  struct known *known = begin(CE_MKNOD);
  if (!known) return 0;
  struct ce_event *event = &known->event;
  event->mode = (unsigned int)mode;
  if (folder != AT_FDCWD) event->flags |= CE_FROM_FOLDER;
  long n = bpf_probe_read_user_str(&event->data[known->used & 8191], CE_NAME_BYTES_MAX, (void *)name);
  if (n > 1) event->name_bytes = (unsigned short)(n - 1);
  send(event, known->used + event->name_bytes);
  return 0;
}

static __always_inline int on_socket(unsigned short kind, unsigned long address, unsigned long bytes) {
  unsigned short family = 0;
  if (bpf_probe_read_user(&family, sizeof family, (void *)address) || family != AF_UNIX || !is_wanted(kind)) return 0;
  struct known *known = begin(kind);
  if (!known) return 0;
  struct ce_event *event = &known->event;
  bytes = bytes > sizeof family ? bytes - sizeof family : 0; /* sun_path; a length of zero asks the kernel for a name of its own */
  if (bytes > 108) bytes = 108;
  if (bytes && bpf_probe_read_user(&event->data[known->used & 8191], (unsigned int)bytes, (void *)(address + sizeof family)) == 0) event->name_bytes = (unsigned short)bytes;
  send(event, known->used + event->name_bytes);
  return 0;
}

SEC("tracepoint/syscalls/sys_exit_mknodat") int exit_mknodat(struct syscall_exit *c) {
  if (c->result != 0) return 0;
  struct pt_regs *regs = arguments();
  return on_mknod((int)ARGUMENT_1(regs), ARGUMENT_2(regs), ARGUMENT_3(regs));
}
SEC("tracepoint/syscalls/sys_exit_bind") int exit_bind(struct syscall_exit *c) {
  if (c->result != 0) return 0;
  struct pt_regs *regs = arguments();
  return on_socket(CE_BIND, ARGUMENT_2(regs), ARGUMENT_3(regs));
}
SEC("tracepoint/syscalls/sys_exit_connect") int exit_connect(struct syscall_exit *c) {
  if (c->result != 0 && c->result != -EINPROGRESS) return 0;
  struct pt_regs *regs = arguments();
  return on_socket(CE_CONNECT, ARGUMENT_2(regs), ARGUMENT_3(regs));
}
/* Not on every architecture; attached where it is there. */
SEC("tracepoint/syscalls/sys_exit_mknod") int exit_mknod_old(struct syscall_exit *c) {
  if (c->result != 0) return 0;
  struct pt_regs *regs = arguments();
  return on_mknod(AT_FDCWD, ARGUMENT_1(regs), ARGUMENT_2(regs));
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
