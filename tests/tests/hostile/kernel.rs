//! Jobs that want more of the kernel than they were given.

use anyhow::Result;
use orcaops_tests::table::{Row, job};
use serde_json::json;

use super::probe;

/// What `CAPABILITIES` of the worker come to: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID,
/// NET_BIND_SERVICE.
const CAPABILITIES: &str = "00000000000004fb";

pub(crate) fn rows() -> Result<Vec<Row>> {
    let questions = [
        "new-user-namespace",
        "new-mount-namespace",
        "new-process-namespace",
        "mount",
        "pivot-root",
        "chroot",
        "make-device",
        "read-keyring",
        "add-key",
        "load-bpf",
        "load-module",
        "load-kernel",
        "reboot",
        "swap-on",
        "account-processes",
        "set-clock",
        "set-hostname",
        "read-kernels-log",
        "open-by-handle",
        "raw-socket",
        "packet-socket",
        "raise-priority",
    ];
    Ok(vec![
        Row::new(
            "root in the container has eight capabilities, and no program gives more",
            job(
                &json!([
                    { "command": "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status" },
                    { "command": "grep -E '^CapEff:' /proc/self/status", "user": "1000" },
                ]),
                &json!({}),
            ),
        )
        .check(|record| {
            let text = record["steps"][0]["stdout"].as_str().unwrap_or_default().replace('\t', " ");
            let expected =
                format!("CapEff: {CAPABILITIES}\nCapBnd: {CAPABILITIES}\nNoNewPrivs: 1\nSeccomp: 2\n");
            let unprivileged = record["steps"][1]["stdout"] == "CapEff:\t0000000000000000\n";
            if text == expected && unprivileged { Ok(()) } else { Err(text) }
        }),
        Row::new(
            "the kernel refuses root in the container what is the host's",
            job(&json!([{ "argv": ["./probe"] }]), &json!({ "inputs": [probe::input()?] })),
        )
        .succeeds()
        .check(move |record| probe::refused(record, 0, &questions)),
        Row::new(
            "a set-uid program gives nobody root",
            job(
                &json!([
                    { "command": "cp /bin/busybox /tmp/id && chown 0:0 /tmp/id && chmod 6755 /tmp/id && ls -l /tmp/id" },
                    { "command": "/tmp/id -u", "user": "1000:1000" },
                    { "command": "echo 2>/dev/null > /etc/passwd && echo written", "user": "1000:1000",
                      "success_exit_codes": [1] },
                ]),
                &json!({}),
            ),
        )
        .succeeds()
        .check(|record| match record["steps"][1]["stdout"].as_str() {
            Some("1000\n") => Ok(()),
            other => Err(format!("it runs as {other:?}")),
        }),
        Row::new(
            "the kernel's settings can be read and not written",
            job(
                &json!([{ "command": "
                    for f in /proc/sys/kernel/core_pattern /proc/sys/vm/overcommit_memory /proc/sysrq-trigger \
                        /proc/sys/net/ipv4/ip_forward /sys/kernel/mm/transparent_hugepage/enabled \
                        /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cgroup.procs \
                        /sys/fs/cgroup/memory/release_agent /sys/fs/cgroup/release_agent /proc/irq/default_smp_affinity
                    do [ -e $f ] && (echo 0 > $f) 2>/dev/null && echo written to $f; done; true" }]),
                &json!({}),
            ),
        )
        .succeeds()
        .prints(&[""]),
        Row::new(
            "the host's devices, memory and keys are not to be seen",
            job(
                &json!([{ "command": "
                    for f in /dev/mem /dev/kmem /dev/kmsg /dev/vda /dev/sda /dev/kvm /dev/fuse /dev/net/tun \
                        /proc/kcore /proc/keys /proc/timer_list /sys/firmware/efi
                    do head -c 1 $f 2>/dev/null | grep -q . && echo $f; done
                    ls -A /proc/acpi /sys/firmware 2>/dev/null | grep -v : ; true" }]),
                &json!({}),
            ),
        )
        .succeeds()
        .check(|record| {
            let text = record["steps"][0]["stdout"].as_str().unwrap_or_default().trim();
            if text.is_empty() { Ok(()) } else { Err(format!("seen: {text}")) }
        }),
    ])
}
