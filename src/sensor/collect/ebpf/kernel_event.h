// The record that the kernel part puts into the ring buffer: fixed head, then bytes. Written by creance.bpf.c, read by kernel_record.cpp (which believes none
// of it). Plain C, since both sides include it. All integers are the machine's own.
#ifndef CREANCE_KERNEL_EVENT_H
#define CREANCE_KERNEL_EVENT_H

#define CE_VERSION 1
#define CE_DATA_BYTES 16384      /* room while it is put together; half of it is the most that is sent */
#define CE_DATA_BYTES_MAX 8191
#define CE_ARGUMENT_BYTES_MAX 4095 /* a longer command line is cut there, and flagged */
#define CE_PATH_PARTS_MAX 24     /* deeper paths lose their front, and are flagged */
#define CE_NAME_BYTES_MAX 256

enum ce_kind { CE_EXEC = 1, CE_MKNOD = 2, CE_BIND = 3, CE_CONNECT = 4 };
/* Bit n: signal n (signal(7), the same on x86-64, arm64, arm and riscv): QUIT, ILL, TRAP, ABRT, BUS, FPE, SEGV, XCPU, XFSZ, SYS */
#define CE_CRASH_SIGNALS ((1u << 3) | (1u << 4) | (1u << 5) | (1u << 6) | (1u << 7) | (1u << 8) | (1u << 11) | (1u << 24) | (1u << 25) | (1u << 31))
enum ce_flag { CE_ARGUMENTS_CUT = 1, CE_PATH_CUT = 2, CE_FROM_FOLDER = 4 /* a relative name counts from an open folder, not from cwd */ };

/* Paths are their parts from the last to the first, each ended by a zero byte: the kernel hands them out in this order. */
struct ce_event {
  unsigned short version;
  unsigned short kind;
  unsigned int flags;
  unsigned long long boot_ns; /* CLOCK_BOOTTIME */
  unsigned int pid;
  unsigned int parent_pid;
  unsigned int uid;
  unsigned int mode;              /* mknod: the mode that was asked for */
  unsigned short exe_bytes;       /* path of the program */
  unsigned short parent_exe_bytes;
  unsigned short cwd_bytes;
  unsigned short arguments_bytes; /* argv as the kernel holds it; strings ended by zero */
  unsigned short name_bytes;      /* mknod: path as given; bind, connect: sun_path as given, abstract names begin with zero */
  unsigned short reserved[3];
  char data[CE_DATA_BYTES];       /* exe, parent exe, cwd, arguments, name: one after the other */
};
#define CE_HEAD_BYTES 48

/* A page that both sides see. The worker writes `unwanted` alone, and nothing that it could write makes the kernel part do anything but send less. */
#define CE_SAMPLED_EACH 64
struct ce_shared {
  unsigned long long lost;     /* records that found no room, or whose process was gone before it was looked at */
  unsigned long long crashed;  /* processes of this host that ended by a signal of CE_CRASH_SIGNALS */
  unsigned long long unwanted; /* bit of each ce_kind that no loaded rule looks at: one in CE_SAMPLED_EACH is sent */
};

#endif
