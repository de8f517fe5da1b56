//! The example with a key service behind a socket: it waits for answers on no thread, and what is dropped leaves nothing.

use std::path::PathBuf;
use std::process::Command;

/// What a thread of the runtime may ask of the kernel: its sockets, which do not block; memory; random bytes; to be woken; and
/// what a thread begins with.
const ALLOWED: [&str; 23] = [
    "brk",
    "epoll_ctl",
    "epoll_wait",
    "futex",
    "getrandom",
    "madvise",
    "mmap",
    "mprotect",
    "mremap",
    "munmap",
    "recvfrom",
    "sched_yield",
    "sendto",
    "write",
    "clone3",
    "gettid",
    "prctl",
    "rseq",
    "rt_sigprocmask",
    "sched_getaffinity",
    "set_robust_list",
    "sigaltstack",
    "accept4",
];

/// The calls in a trace by strace that are not among them.
fn others(trace: &str) -> Vec<&str> {
    let calls = trace.lines().filter_map(|line| line.split_whitespace().nth(1));
    // The second half of a call that another thread interrupted has no name.
    let names = calls.filter(|call| !call.starts_with(['<', '+', '-'])).filter_map(|call| call.split('(').next());
    names.filter(|name| !ALLOWED.contains(name)).collect()
}

#[test]
fn a_blocking_call_would_be_seen() {
    let trace = "7 futex(0x1, FUTEX_WAKE_PRIVATE, 1) = 1\n8 <... epoll_wait resumed>) = 0\n";
    assert_eq!(others(trace), [""; 0]);
    assert_eq!(others(&format!("{trace}8 clock_nanosleep(CLOCK_REALTIME, 0, {{}}, NULL) = 0\n")), ["clock_nanosleep"]);
    assert_eq!(others(&format!("{trace}8 fsync(3 <unfinished ...>\n")), ["fsync"]);
}

#[test]
fn a_thousand_objects_on_two_threads() {
    // Tests and examples are in neighbouring folders.
    let test = std::env::current_exe().expect("this test");
    let example: PathBuf = test.ancestors().nth(2).expect("a folder").join("examples/async_key_service");
    let trace = tempfile::NamedTempFile::new().expect("a file");
    let mut strace = Command::new("strace");
    // With more than one arena glibc reads how many CPUs there are.
    let strace =
        strace.env("MALLOC_ARENA_MAX", "1").args(["-f", "-s", "80", "-o"]).arg(trace.path()).arg(example).output();
    let output = strace.expect("strace runs: apt-get install strace");
    let printed = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    print!("{printed}");
    assert!(printed.contains("1000 objects sealed and opened"), "{printed}");

    // Threads that wait for answers could have asked two questions at once.
    let (_, most) = printed.split_once("most questions at once: ").expect("counted");
    let most: u32 = most.lines().next().expect("a line").parse().expect("a number");
    assert!(most > 2, "{most}");
    assert!(printed.contains(" 0 alive, 0 questions waiting"), "{printed}");

    let trace = std::fs::read_to_string(trace.path()).expect("a trace");
    let (_, after) = trace.split_once("write(1, \"ready").expect("the start");
    let (work, _) = after.split_once("write(1, \"done").expect("the end");
    // The rest of the line that was split is no call.
    let work = work.split_once('\n').expect("lines").1;
    assert!(work.lines().count() > 1_000, "the trace has the work");
    assert_eq!(others(work), [""; 0]);
    let sockets = trace.lines().filter(|line| [" socket(", " accept4("].iter().any(|call| line.contains(call)));
    for socket in sockets {
        assert!(socket.contains("SOCK_NONBLOCK") || socket.contains("unfinished"), "{socket}");
    }
}
