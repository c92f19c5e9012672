//! `pinfold wait-for`: what is ready, what is not in time, and what comes after.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use pinfold_trials::{Trial, pinfold_bin, wait_until};
use rustix::process::{Pid, Signal, kill_process};

use crate::{LONG, text};

fn wait_for(trial: &Trial, arguments: &[&str]) -> Command {
    let mut command = Command::new(pinfold_bin());
    command.arg("wait-for").args(arguments).envs([trial.env()]).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(trial: &Trial, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = wait_for(trial, arguments).output().unwrap();
    (status.code(), text(&stdout), text(&stderr))
}

/// Answers every request with the same.
struct Server {
    address: SocketAddr,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn answering(answer: &'static str) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, over) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let told = over.clone();
        let thread = thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                if told.load(Ordering::SeqCst) {
                    return;
                }
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        Server { address, over, thread: Some(thread) }
    }

    fn url(&self) -> String {
        format!("http://{}/ready", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        self.thread.take().map(JoinHandle::join);
    }
}

#[test]
fn whatever_is_ready_lets_the_program_run() {
    let trial = Trial::new();
    let directory = tempfile::tempdir().unwrap();
    let (socket, file) = (directory.path().join("socket"), directory.path().join("file"));
    let unix = UnixListener::bind(&socket).unwrap();
    fs::write(&file, "x").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let good = Server::answering("HTTP/1.1 200 OK\r\n\r\n");
    let address = tcp.local_addr().unwrap().to_string();
    let targets = [
        format!("tcp://{address}"),
        address,
        good.url(),
        format!("unix:{}", socket.display()),
        format!("file:{}", file.display()),
        format!("nonempty:{}", file.display()),
        "cmd:test -d /".to_owned(),
    ];
    for target in &targets {
        let (code, out, err) = output(&trial, &[target, "--", "sh", "-c", "echo $0 here; exit 7", "I am"]);
        assert_eq!((code, out.as_str()), (Some(7), "I am here\n"), "{target}: {err}");
        assert!(err.contains(": ready after "), "{err}");
    }
    let all: Vec<&str> = targets.iter().map(String::as_str).collect();
    assert_eq!(output(&trial, &[&all[..], &["-q"]].concat()), (Some(0), String::new(), String::new()));
    let (code, ..) = output(&trial, &["--any", "tcp://127.0.0.1:1", &targets[4]]);
    assert_eq!(code, Some(0));
    drop((unix, tcp, good));
    trial.finish();
}

#[test]
fn what_is_not_ready_in_time_is_told_with_its_reason_and_nothing_is_run() {
    let trial = Trial::new();
    let later = Server::answering("HTTP/1.1 503 Later\r\n\r\n");
    let found = Server::answering("HTTP/1.1 302 Found\r\n\r\n");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let rows = [
        ("tcp://127.0.0.1:1".to_owned(), "connection refused"),
        (later.url(), "/ready: status 503"),
        (found.url(), "status 302, a redirect, which is not followed"),
        (format!("http://{}/", silent.local_addr().unwrap()), "no answer"),
        ("unix:/nowhere/x".to_owned(), "no such file or directory"),
        ("file:/nowhere/x".to_owned(), "no such file or directory"),
        ("nonempty:/dev/null".to_owned(), "it is empty"),
        ("cmd:exit 9".to_owned(), "exited with code 9"),
    ];
    for (target, reason) in rows {
        let (code, out, err) = output(&trial, &["-t", "700ms", &target, "--", "echo", "ran"]);
        assert_eq!((code, out.as_str()), (Some(124), ""), "{target}: {err}");
        assert!(
            err.starts_with("pinfold: not ready after 700ms: ") && err.contains(reason),
            "{target}: {err}"
        );
        assert_eq!(err.lines().count(), 1, "{err}");
    }
    let (code, _, err) = output(&trial, &["-t", "700ms", "cmd:exit 1", "cmd:true", "cmd:exit 2"]);
    assert_eq!(code, Some(124));
    for one in ["cmd:exit (target 1): ", "cmd:exit (target 3): "] {
        assert!(err.contains(one), "{err}");
    }
    drop((later, found, silent));
    trial.finish();
}

#[test]
fn what_becomes_ready_is_waited_for() {
    let trial = Trial::new();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    let target = format!("file:{}", file.display());
    let child = wait_for(&trial, &["--timeout", "0", &target, "--", "echo", "ran"]).spawn().unwrap();
    fs::write(&file, "").unwrap();
    assert_eq!(text(&child.wait_with_output().unwrap().stdout), "ran\n");
    trial.finish();
}

#[test]
fn a_signal_ends_the_wait_and_what_a_probe_runs() {
    let trial = Trial::new();
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark");
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let target = format!("cmd:touch {}; exec sleep 600", mark.display());
        let mut child = wait_for(&trial, &["--attempt", "600s", &target]).spawn().unwrap();
        wait_until("the probe runs", LONG, || mark.exists());
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()));
        fs::remove_file(&mark).unwrap();
    }
    trial.finish();
}

#[test]
fn what_follows_is_as_without_pinfold() {
    let trial = Trial::new();
    let status = ["sh", "-c", "grep -E 'Sig(Blk|Ign)' /proc/self/status; ls /proc/self/fd | wc -l"];
    let mut plain = Command::new(status[0]);
    let plain = plain.args(&status[1..]).stdin(Stdio::null()).output().unwrap();
    let mut waited = wait_for(&trial, &[&["-q", "cmd:true", "--"], &status[..]].concat());
    let child = waited.spawn().unwrap();
    assert_eq!(text(&child.wait_with_output().unwrap().stdout), text(&plain.stdout));
    // The very same process.
    let child = wait_for(&trial, &["-q", "file:/", "--", "sh", "-c", "echo $$"]).spawn().unwrap();
    let pid = child.id().to_string();
    assert_eq!(text(&child.wait_with_output().unwrap().stdout).trim(), pid);
    for (program, code) in [("no-such-program", 127), ("/etc/passwd", 126)] {
        assert_eq!(output(&trial, &["file:/", "--", program]).0, Some(code));
    }
    trial.finish();
}
