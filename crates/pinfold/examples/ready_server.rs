//! A server that is used once it is ready, and not before: no sleep, no retry loop, and a clear error if it dies first.
//!
//! `cargo run -p pinfold --example ready_server`
#![expect(clippy::print_stdout, reason = "an example talks to the person who runs it")]

use pinfold::{Command, ErrorKind, Probe};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Run again with an argument this program is the server itself: slow to begin, one answer for each connection.
fn serve(port: u16) -> std::io::Result<()> {
    std::thread::sleep(Duration::from_millis(200));
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("listening on {}", listener.local_addr()?);
    for stream in listener.incoming() {
        let mut stream = stream?;
        // A client that only looks whether somebody listens says nothing.
        if stream.read(&mut [0; 1024])? > 0 {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n")?;
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(port) = std::env::args().nth(1) {
        return Ok(serve(port.parse()?)?);
    }
    let itself = std::env::current_exe()?;
    let server = Command::new(&itself).arg("0").start()?;
    // The kernel chose the port, and the server says which: wait for the line, then read it.
    server.wait_until(&Probe::line(|line| line.starts_with("listening on ")), Duration::from_secs(10))?;
    let line = server.stdout_lines()?.next().ok_or("it has said nothing")??;
    let address = line.trim_start_matches("listening on ").to_owned();

    let url = format!("http://{address}/");
    server.wait_until(&Probe::http(&url)?, Duration::from_secs(10))?;
    let mut stream = TcpStream::connect(&address)?;
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    let mut answer = [0; 1024];
    let count = stream.read(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
    println!("the server says: {}", answer.lines().last().unwrap_or_default());
    println!("and ends: {}", server.stop()?);

    // One that cannot begin is told at once, by what it said itself.
    let broken = Command::new(&itself).arg("no port").start()?;
    match broken.wait_until(&Probe::tcp("127.0.0.1", 1), Duration::from_secs(60)) {
        Err(error) if error.kind() == ErrorKind::NotReady => {
            println!("another ended first: {:?}", error.code());
        }
        other => println!("unexpected: {other:?}"),
    }
    Ok(())
}
