//! Jobs that look for other jobs, for the host's services and for the engine.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use orcaops_tests::laptop::Laptop;
use orcaops_tests::table::job;
use orcaops_tests::wait::until;
use serde_json::{Value, json};

/// Has something to find, and listens.
const VICTIM: &str = "
    echo $SECRET > /tmp/secret; echo $SECRET > /dev/shm/secret
    while :; do nc -l -p 9000 -e echo reached; done 2>/dev/null &
    echo address $(hostname -i) $(cat /sys/class/net/eth0/address)
    trap 'exit 0' TERM; while :; do sleep 0.2; done";

/// Looks for it. The control shows that what is tried would work.
const ATTACKER: &str = r#"
    found() { echo "found $1"; }
    # A connection that is made and stays open counts: only a refusal is 1.
    connects() { timeout 3 nc -w 2 "$1" "$2" < /dev/null > /tmp/answer 2>/dev/null; [ $? != 1 ]; }
    own=$(hostname -i); host=$(ip route | sed -n 's/default via \([^ ]*\).*/\1/p')
    (while :; do nc -l -p 9000 -e echo reached; done) 2>/dev/null &
    until netstat -ltn | grep -q :9000; do sleep 0.05; done
    connects $own 9000 && grep -q reached /tmp/answer && echo control: own port
    connects $host $OPEN_PORT && echo reached: a port that is open on all of the addresses of the host
    connects $VICTIM 9000 && found "the port of the victim"
    ping -c 1 -w 2 $VICTIM > /dev/null 2>&1 && found ping
    arping -c 1 -w 2 $VICTIM > /dev/null 2>&1 && found arping
    ip neigh add $VICTIM lladdr $VICTIM_LINK dev eth0 2>/dev/null && found "way to set neighbours"
    ip addr add $VICTIM/16 dev eth0 2>/dev/null && found "way to take an address"
    grep -qv ' lo$' /proc/net/if_inet6 2>/dev/null && found "way round by IPv6"
    for f in $(find / -xdev -type f 2>/dev/null) /proc/[0-9]*/environ /dev/shm/* /dev/mqueue/*; do
        grep -q "value-of-the-victim" $f 2>/dev/null && found $f; done
    connects $host $API_PORT && found "the API"
    for port in 2375 2376 2377 4243; do connects $host $port && found "port $port"; done
    for f in /var/run/docker.sock /run/docker.sock /run/containerd/containerd.sock /run/podman/podman.sock; do
        [ -e $f ] && found $f; done
    echo looked"#;

#[tokio::test(flavor = "multi_thread")]
async fn jobs_on_one_host_neither_see_nor_reach_each_other_nor_the_engine() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("2").await?;
    let secret = json!({ "sandbox": { "env": { "SECRET": "value-of-the-victim" } } });
    let victim = laptop.client.submit(&job(&json!([{ "command": VICTIM }]), &secret)).await?;
    let mut said = String::new();
    let read = |_: &str, data: &str| {
        let line: Value = serde_json::from_str(data)?;
        let text = line["line"].as_str().unwrap_or_default();
        text.strip_prefix("address ").unwrap_or_default().clone_into(&mut said);
        Ok(!said.is_empty())
    };
    laptop.client.each_log_event(&victim, read).await?;
    let (address, link) = said.split_once(' ').context("no address")?;

    // What listens on all of the host's addresses: jobs reach that, as the document says.
    let open = TcpListener::bind("0.0.0.0:0")?;
    let env = json!({
        "VICTIM": address,
        "VICTIM_LINK": link,
        "OPEN_PORT": open.local_addr()?.port().to_string(),
        "API_PORT": laptop.port().to_string(),
    });
    let attack =
        job(&json!([{ "command": ATTACKER, "timeout_seconds": 60 }]), &json!({ "sandbox": { "env": env } }));
    let record = laptop.client.run(&attack).await?;
    let text = record["steps"][0]["stdout"].as_str().unwrap_or_default();
    println!("{text}");
    ensure!(text.contains("control: own port\n") && text.ends_with("looked\n"), "{record:#}");
    ensure!(!text.contains("found"), "{text}");

    ensure!(laptop.client.record(&victim).await?["status"] == "running", "the victim was harmed");
    laptop.client.cancel(&victim).await?;
    laptop.client.ended(&victim).await?;
    laptop.containers.all_gone().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jobs_container_is_as_the_document_says() -> Result<()> {
    let laptop = Laptop::new().await?;
    let _dev = laptop.dev("1").await?;
    let id = laptop.client.submit(&job(&json!([{ "command": "sleep 600" }]), &json!({}))).await?;
    let container =
        laptop.client.running(&id).await?["sandbox_id"].as_str().context("no container")?.to_owned();
    let mut shown = Value::Null;
    until("the container runs", Duration::from_secs(30), async || {
        shown = laptop
            .containers
            .inspect(&container)
            .await
            .ok()
            .and_then(|i| serde_json::to_value(i).ok())
            .unwrap_or_default();
        shown["State"]["Running"] == true
    })
    .await?;
    let host = &shown["HostConfig"];
    let expected = [
        ("/Privileged", json!(false)),
        ("/PidsLimit", json!(1024)),
        ("/CapDrop", json!(["ALL"])),
        ("/AutoRemove", json!(true)),
        ("/NetworkMode", json!("orcaops-jobs")),
        ("/PidMode", json!("")),
        ("/UTSMode", json!("")),
        ("/IpcMode", json!("private")),
    ];
    for (pointer, value) in expected {
        ensure!(host.pointer(pointer) == Some(&value), "{pointer} is not {value}: {host:#}");
    }
    let options = host["SecurityOpt"].to_string();
    ensure!(options.contains("no-new-privileges") && !options.contains("unconfined"), "{options}");
    let mounts: Vec<_> = shown["Mounts"].as_array().into_iter().flatten().collect();
    ensure!(
        mounts.len() == 1 && mounts[0]["Destination"] == "/.orcaops" && mounts[0]["RW"] == false,
        "{mounts:?}"
    );
    laptop.client.cancel(&id).await?;
    laptop.client.ended(&id).await?;
    laptop.containers.all_gone().await
}
