// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The kernel part of the live collector: process execution, FIFO creation, bind and connect on UNIX sockets. Tracepoints only, so that it loads without
// kernel headers and under lockdown. Reports what succeeded (connect: also what is still in progress). Decides nothing.
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

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct qstr { const unsigned char *name; };
struct dentry { struct dentry *d_parent; struct qstr d_name; };
struct vfsmount { struct dentry *mnt_root; };
struct mount { struct mount *mnt_parent; struct dentry *mnt_mountpoint; struct vfsmount mnt; };
struct path { struct vfsmount *mnt; struct dentry *dentry; };
struct file { struct path f_path; };
struct fs_struct { struct path pwd; };
struct mm_struct { unsigned long arg_start, arg_end; struct file *exe_file; };
struct task_struct { int tgid; struct task_struct *real_parent; struct mm_struct *mm; struct fs_struct *fs; };
#pragma clang attribute pop

struct syscall_enter { unsigned long long common; long number; unsigned long arguments[6]; };
struct syscall_exit { unsigned long long common; long number; long result; };

struct pending { /* what a system call was asked, until it has succeeded */
  unsigned short kind;
  unsigned short name_bytes;
  unsigned int mode;
  unsigned int flags;
  char name[CE_NAME_BYTES_MAX];
};

struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 8 << 20); } events SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1); __type(key, unsigned int); __type(value, struct ce_event); } scratch SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1); __type(key, unsigned int); __type(value, struct pending); } asked SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 8192); __type(key, unsigned long long); __type(value, struct pending); } waiting SEC(".maps");
/* [0] records that found no room. Mapped by the worker. */
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(map_flags, BPF_F_MMAPABLE); __uint(max_entries, 1); __type(key, unsigned int); __type(value, unsigned long long); } lost SEC(".maps");

static __always_inline struct ce_event *begin(unsigned short kind, struct task_struct *task) {
  unsigned int zero = 0;
  struct ce_event *event = bpf_map_lookup_elem(&scratch, &zero);
  if (!event) return 0;
  struct task_struct *parent = BPF_CORE_READ(task, real_parent);
  event->version = CE_VERSION;
  event->kind = kind;
  event->flags = 0;
  event->boot_ns = bpf_ktime_get_boot_ns();
  event->pid = (unsigned int)(bpf_get_current_pid_tgid() >> 32);
  event->parent_pid = (unsigned int)BPF_CORE_READ(parent, tgid);
  event->uid = (unsigned int)bpf_get_current_uid_gid();
  event->mode = 0;
  event->exe_bytes = event->parent_exe_bytes = event->cwd_bytes = event->arguments_bytes = event->name_bytes = 0;
  return event;
}

/* Where a walk from a path's last part to its first stands. In a map and not on the stack: what the verifier does not track it need not enumerate. */
struct walk {
  struct mount *mount;
  struct dentry *dentry;
  unsigned int at;   /* next free byte of data */
  unsigned int done;
};
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1); __type(key, unsigned int); __type(value, struct walk); } walks SEC(".maps");

static long walk_step(unsigned int index, void *unused) {
  unsigned int zero = 0;
  struct walk *walk = bpf_map_lookup_elem(&walks, &zero);
  struct ce_event *event = bpf_map_lookup_elem(&scratch, &zero);
  if (!walk || !event) return 1;
  struct dentry *dentry = walk->dentry;
  struct mount *mount = walk->mount;
  struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
  if (dentry == BPF_CORE_READ(mount, mnt.mnt_root) || dentry == parent) { /* top of this file system: go on where it is mounted */
    struct mount *above = BPF_CORE_READ(mount, mnt_parent);
    if (above == mount || !above) {
      walk->done = 1;
      return 1;
    }
    walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
    walk->mount = above;
    return 0;
  }
  unsigned int at = walk->at;
  if (at >= CE_DATA_BYTES_MAX - CE_NAME_BYTES_MAX) return 1;
  long n = bpf_probe_read_kernel_str(&event->data[at & 8191], CE_NAME_BYTES_MAX, BPF_CORE_READ(dentry, d_name.name));
  if (n <= 0) return 1;
  walk->at = at + (unsigned int)n;
  walk->dentry = parent;
  return 0;
}

/* Appends the parts of a path at `offset`; returns the number of bytes. */
static __always_inline unsigned int put_path(struct ce_event *event, unsigned int offset, struct vfsmount *vfs, struct dentry *dentry) {
  unsigned int zero = 0;
  struct walk *walk = bpf_map_lookup_elem(&walks, &zero);
  if (!walk) return 0;
  walk->mount = (struct mount *)((char *)vfs - bpf_core_field_offset(struct mount, mnt));
  walk->dentry = dentry;
  walk->at = offset;
  walk->done = 0;
  bpf_loop(CE_PATH_PARTS_MAX, walk_step, 0, 0);
  if (!walk->done) event->flags |= CE_PATH_CUT;
  return (walk->at - offset) & 8191;
}

static __always_inline void put_exe(struct ce_event *event, unsigned int offset, struct mm_struct *mm, unsigned short *bytes) {
  struct file *file = BPF_CORE_READ(mm, exe_file);
  if (!file) return;
  *bytes = (unsigned short)put_path(event, offset, BPF_CORE_READ(file, f_path.mnt), BPF_CORE_READ(file, f_path.dentry));
}

static __always_inline void count_lost(void) {
  unsigned int zero = 0;
  unsigned long long *counter = bpf_map_lookup_elem(&lost, &zero);
  if (counter) __sync_fetch_and_add(counter, 1);
}

static __always_inline void send(struct ce_event *event, unsigned int data_bytes) {
  if (data_bytes > CE_DATA_BYTES_MAX) data_bytes = CE_DATA_BYTES_MAX;
  if (bpf_ringbuf_output(&events, event, (CE_HEAD_BYTES + data_bytes) & 16383, 0)) count_lost();
}

/* Who it is: program, parent's program, working directory, command line. Returns the number of data bytes used, at most 8190. */
static __always_inline unsigned int put_process(struct ce_event *event, struct task_struct *task) {
  struct mm_struct *mm = BPF_CORE_READ(task, mm);
  put_exe(event, 0, mm, &event->exe_bytes);
  unsigned int used = event->exe_bytes;
  put_exe(event, used, BPF_CORE_READ(task, real_parent, mm), &event->parent_exe_bytes);
  used += event->parent_exe_bytes;
  event->cwd_bytes = (unsigned short)put_path(event, used, BPF_CORE_READ(task, fs, pwd.mnt), BPF_CORE_READ(task, fs, pwd.dentry));
  used += event->cwd_bytes;
  if (used > CE_DATA_BYTES_MAX - CE_ARGUMENT_BYTES_MAX - CE_NAME_BYTES_MAX) { /* paths of kilobytes: keep the first, say so */
    event->flags |= CE_PATH_CUT;
    event->parent_exe_bytes = event->cwd_bytes = 0;
    used = event->exe_bytes;
    if (used > CE_DATA_BYTES_MAX - CE_ARGUMENT_BYTES_MAX - CE_NAME_BYTES_MAX) used = event->exe_bytes = 0;
  }
  unsigned long start = BPF_CORE_READ(mm, arg_start), end = BPF_CORE_READ(mm, arg_end);
  unsigned long bytes = end > start ? end - start : 0;
  if (bytes > CE_ARGUMENT_BYTES_MAX) {
    bytes = CE_ARGUMENT_BYTES_MAX;
    event->flags |= CE_ARGUMENTS_CUT;
  }
  used &= 4095;
  bytes &= 4095;
  if (bytes && bpf_probe_read_user(&event->data[used], (unsigned int)bytes, (void *)start) == 0) event->arguments_bytes = (unsigned short)bytes;
  return used + event->arguments_bytes;
}

SEC("tracepoint/sched/sched_process_exec")
int on_exec(void *context) {
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  struct ce_event *event = begin(CE_EXEC, task);
  if (event) send(event, put_process(event, task));
  return 0;
}

static __always_inline struct pending *ask(unsigned short kind) {
  unsigned int zero = 0;
  struct pending *pending = bpf_map_lookup_elem(&asked, &zero);
  if (!pending) return 0;
  pending->kind = kind;
  pending->name_bytes = 0;
  pending->mode = 0;
  pending->flags = 0;
  return pending;
}

static __always_inline int keep(struct pending *pending) {
  unsigned long long key = bpf_get_current_pid_tgid();
  if (bpf_map_update_elem(&waiting, &key, pending, BPF_ANY)) count_lost();
  return 0;
}

static __always_inline int enter_mknod(int folder, unsigned long name, unsigned long mode) {
  if ((mode & S_IFMT) != S_IFIFO) return 0;
  struct pending *pending = ask(CE_MKNOD);
  if (!pending) return 0;
  pending->mode = (unsigned int)mode;
  if (folder != AT_FDCWD) pending->flags = CE_FROM_FOLDER;
  long n = bpf_probe_read_user_str(pending->name, sizeof pending->name, (void *)name);
  if (n > 1) pending->name_bytes = (unsigned short)(n - 1);
  return keep(pending);
}

static __always_inline int enter_socket(unsigned short kind, unsigned long address, unsigned long bytes) {
  unsigned short family = 0;
  if (bpf_probe_read_user(&family, sizeof family, (void *)address) || family != AF_UNIX) return 0;
  struct pending *pending = ask(kind);
  if (!pending) return 0;
  bytes = bytes > sizeof family ? bytes - sizeof family : 0; /* sun_path; a length of zero asks the kernel for a name of its own */
  if (bytes > 108) bytes = 108;
  if (bytes && bpf_probe_read_user(pending->name, (unsigned int)bytes, (void *)(address + sizeof family)) == 0) pending->name_bytes = (unsigned short)bytes;
  return keep(pending);
}

static __always_inline int leave(long result) {
  unsigned long long key = bpf_get_current_pid_tgid();
  struct pending *pending = bpf_map_lookup_elem(&waiting, &key);
  if (!pending) return 0;
  if (result == 0 || result == -EINPROGRESS) {
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    struct ce_event *event = begin(pending->kind, task);
    if (event) {
      event->mode = pending->mode;
      event->flags |= pending->flags;
      unsigned int used = put_process(event, task);
      used &= 8191;
      unsigned int bytes = pending->name_bytes;
      if (bytes > CE_NAME_BYTES_MAX) bytes = CE_NAME_BYTES_MAX;
      if (bytes && bpf_probe_read_kernel(&event->data[used], bytes, pending->name) == 0) event->name_bytes = (unsigned short)bytes;
      send(event, used + event->name_bytes);
    }
  }
  bpf_map_delete_elem(&waiting, &key);
  return 0;
}

SEC("tracepoint/syscalls/sys_enter_mknodat") int enter_mknodat(struct syscall_enter *c) { return enter_mknod((int)c->arguments[0], c->arguments[1], c->arguments[2]); }
SEC("tracepoint/syscalls/sys_enter_bind") int enter_bind(struct syscall_enter *c) { return enter_socket(CE_BIND, c->arguments[1], c->arguments[2]); }
SEC("tracepoint/syscalls/sys_enter_connect") int enter_connect(struct syscall_enter *c) { return enter_socket(CE_CONNECT, c->arguments[1], c->arguments[2]); }
SEC("tracepoint/syscalls/sys_exit_mknodat") int exit_mknodat(struct syscall_exit *c) { return leave(c->result); }
SEC("tracepoint/syscalls/sys_exit_bind") int exit_bind(struct syscall_exit *c) { return leave(c->result); }
SEC("tracepoint/syscalls/sys_exit_connect") int exit_connect(struct syscall_exit *c) { return leave(c->result); }
/* Not on every architecture; attached where it is there. */
SEC("tracepoint/syscalls/sys_enter_mknod") int enter_mknod_old(struct syscall_enter *c) { return enter_mknod(AT_FDCWD, c->arguments[0], c->arguments[1]); }
SEC("tracepoint/syscalls/sys_exit_mknod") int exit_mknod_old(struct syscall_exit *c) { return leave(c->result); }

char LICENSE[] SEC("license") = "Dual BSD/GPL";
