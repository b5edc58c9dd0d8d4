/* Asks the kernel for what a job should not get, and prints what it answers: a line for each question, with the
 * number of the error or `granted`. No C library, so that it fits into a job's spec. */

typedef unsigned long word;

#if defined(__x86_64__)
enum { WRITE = 1, EXIT = 60, PTRACE = 101, WRITEV_TO = 311, PIDFD_OPEN = 434, PIDFD_GETFD = 438,
       UNSHARE = 272, MOUNT = 165, PIVOT_ROOT = 155, MKNODAT = 259, KEYCTL = 250, ADD_KEY = 248, BPF = 321,
       INIT_MODULE = 175, KEXEC_LOAD = 246, REBOOT = 169, SWAPON = 167, SETTIMEOFDAY = 164, SETHOSTNAME = 170,
       SETNS = 308, OPEN_BY_HANDLE = 304, SOCKET = 41, OPENAT = 257, CHROOT = 161, SYSLOG = 103, ACCT = 163,
       SETPRIORITY = 141, IOPL = 172 };
static word call(word n, word a, word b, word c, word d, word e) {
    word result;
    register word r10 __asm__("r10") = d;
    register word r8 __asm__("r8") = e;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
enum { WRITE = 64, EXIT = 93, PTRACE = 117, WRITEV_TO = 271, PIDFD_OPEN = 434, PIDFD_GETFD = 438, UNSHARE = 97,
       MOUNT = 40, PIVOT_ROOT = 41, MKNODAT = 33, KEYCTL = 219, ADD_KEY = 217, BPF = 280, INIT_MODULE = 105,
       KEXEC_LOAD = 104, REBOOT = 142, SWAPON = 224, SETTIMEOFDAY = 170, SETHOSTNAME = 161, SETNS = 268,
       OPEN_BY_HANDLE = 265, SOCKET = 198, OPENAT = 56, CHROOT = 51, SYSLOG = 116, ACCT = 89,
       SETPRIORITY = 140 };
static word call(word n, word a, word b, word c, word d, word e) {
    register word x8 __asm__("x8") = n;
    register word x0 __asm__("x0") = a;
    register word x1 __asm__("x1") = b;
    register word x2 __asm__("x2") = c;
    register word x3 __asm__("x3") = d;
    register word x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}
#else
#error "the probe knows no system calls of this processor"
#endif

enum { AT_CWD = -100, ATTACH = 16, NEW_NS = 0x20000, NEW_USER = 0x10000000, NEW_PID = 0x20000000, BLOCK = 0060000 };

static void print(const char *text) {
    word length = 0;
    while (text[length]) length++;
    call(WRITE, 1, (word)text, length, 0, 0);
}

static void answer(const char *question, word result) {
    char digits[24];
    int at = sizeof digits - 1;
    long error = -(long)result;
    print(question);
    if (error <= 0 || error > 4095) {
        print(" granted\n");
        return;
    }
    digits[at] = 0;
    while (error > 0) {
        digits[--at] = (char)('0' + error % 10);
        error /= 10;
    }
    print(" ");
    print(digits + at);
    print("\n");
}

#ifdef __x86_64__
__attribute__((force_align_arg_pointer))
#endif
void start(void) {
    static char stolen[8];
    word piece[2] = { (word)stolen, 1 };
    word target[2] = { 0x400000, 1 };
    word handle[4] = { 8, 1, 0, 0 };
    word pidfd;

    answer("control", call(OPENAT, AT_CWD, (word) "/dev/null", 0, 0, 0));
    answer("trace-init", call(PTRACE, ATTACH, 1, 0, 0, 0));
    answer("write-inits-memory", call(WRITEV_TO, 1, (word)piece, 1, (word)target, 1));
    answer("open-inits-memory", call(OPENAT, AT_CWD, (word) "/proc/1/mem", 2, 0, 0));
    answer("open-inits-stdout", call(OPENAT, AT_CWD, (word) "/proc/1/fd/1", 1, 0, 0));
    answer("open-inits-stdin", call(OPENAT, AT_CWD, (word) "/proc/1/fd/0", 0, 0, 0));
    pidfd = call(PIDFD_OPEN, 1, 0, 0, 0, 0);
    answer("take-inits-stdout", call(PIDFD_GETFD, pidfd, 1, 0, 0, 0));
    answer("enter-inits-namespaces", call(SETNS, pidfd, NEW_NS, 0, 0, 0));
    answer("new-user-namespace", call(UNSHARE, NEW_USER, 0, 0, 0, 0));
    answer("new-mount-namespace", call(UNSHARE, NEW_NS, 0, 0, 0, 0));
    answer("new-process-namespace", call(UNSHARE, NEW_PID, 0, 0, 0, 0));
    answer("mount", call(MOUNT, (word) "none", (word) "/tmp", (word) "tmpfs", 0, 0));
    answer("remount-inits-folder", call(MOUNT, (word) "none", (word) "/.orcaops", 0, 32, 0));
    answer("pivot-root", call(PIVOT_ROOT, (word) "/tmp", (word) "/tmp", 0, 0, 0));
    answer("chroot", call(CHROOT, (word) "/tmp", 0, 0, 0, 0));
    answer("make-device", call(MKNODAT, AT_CWD, (word) "/tmp/disk", BLOCK | 0600, 0xfe00, 0));
    answer("read-keyring", call(KEYCTL, 0, -3, 1, 0, 0));
    answer("add-key", call(ADD_KEY, (word) "user", (word) "name", (word) "x", 1, -3));
    answer("load-bpf", call(BPF, 5, (word)piece, 16, 0, 0));
    answer("load-module", call(INIT_MODULE, (word)stolen, 0, (word) "", 0, 0));
    answer("load-kernel", call(KEXEC_LOAD, 0, 0, 0, 0, 0));
    answer("reboot", call(REBOOT, 0xfee1dead, 672274793, 0x89abcdef, 0, 0));
    answer("swap-on", call(SWAPON, (word) "/tmp/swap", 0, 0, 0, 0));
    answer("account-processes", call(ACCT, 0, 0, 0, 0, 0));
    answer("set-clock", call(SETTIMEOFDAY, (word)piece, 0, 0, 0, 0));
    answer("set-hostname", call(SETHOSTNAME, (word) "x", 1, 0, 0, 0));
    answer("read-kernels-log", call(SYSLOG, 3, (word)stolen, 8, 0, 0));
    answer("open-by-handle", call(OPEN_BY_HANDLE, AT_CWD, (word)handle, 0, 0, 0));
    answer("raw-socket", call(SOCKET, 2, 3, 1, 0, 0));
    answer("packet-socket", call(SOCKET, 17, 3, 0x0300, 0, 0));
    answer("raise-priority", call(SETPRIORITY, 0, 0, -10, 0, 0));
#ifdef __x86_64__
    answer("io-ports", call(IOPL, 3, 0, 0, 0, 0));
#endif
    call(EXIT, 0, 0, 0, 0, 0);
}
