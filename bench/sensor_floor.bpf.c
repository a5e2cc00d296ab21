// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The floor under any watcher of the same events: one small record for each that succeeded, and nothing of what it was about. Only for bench/sensor_bench.py.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct syscall_exit { unsigned long long common; long number; long result; };
struct record { unsigned long long ns, task; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 8 << 20); } events SEC(".maps");

static __always_inline int put(void) {
  struct record *record = bpf_ringbuf_reserve(&events, sizeof *record, 0);
  if (!record) return 0;
  record->ns = bpf_ktime_get_boot_ns();
  record->task = bpf_get_current_pid_tgid();
  bpf_ringbuf_submit(record, 0);
  return 0;
}

SEC("tracepoint/sched/sched_process_exec") int floor_exec(void *c) { return put(); }
SEC("tracepoint/syscalls/sys_exit_mknodat") int floor_mknodat(struct syscall_exit *c) { return c->result == 0 ? put() : 0; }
SEC("tracepoint/syscalls/sys_exit_bind") int floor_bind(struct syscall_exit *c) { return c->result == 0 ? put() : 0; }
SEC("tracepoint/syscalls/sys_exit_connect") int floor_connect(struct syscall_exit *c) { return c->result == 0 ? put() : 0; }

char LICENSE[] SEC("license") = "Dual BSD/GPL";
