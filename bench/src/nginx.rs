//! nginx as a reverse proxy that adds a fixed header: what a vault without a record or a decision would be.

use std::{fs, net::SocketAddr, process::Command};

use tempfile::TempDir;

use crate::{
    Failure,
    process::{Server, find},
};

/// A running nginx with a configuration of its own.
pub(crate) struct Nginx {
    pub(crate) address: SocketAddr,
    _server: Server,
    _directory: TempDir,
}

/// Starts it in front of the upstream; `None` when it is not installed.
pub(crate) fn start(upstream: SocketAddr) -> Result<Option<Nginx>, Failure> {
    let Some(program) =
        find(&["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx", "/usr/local/bin/nginx"])
    else {
        return Ok(None);
    };
    let directory = tempfile::tempdir()?;
    let path = directory.path();
    // A port that was free a moment ago: nginx cannot be asked which one it took.
    let address = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let config = path.join("nginx.conf");
    fs::write(&config, configuration(path, address, upstream))?;
    let mut command = Command::new(program);
    command.arg("-p").arg(path).arg("-c").arg(&config).args(["-e", "stderr"]);
    let server = Server::start(&mut command)?;
    for _ in 0..100 {
        if std::net::TcpStream::connect(address).is_ok() {
            return Ok(Some(Nginx { address, _server: server, _directory: directory }));
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Err("nginx did not start".into())
}

/// As many workers as cores; connections to the upstream are kept, nothing is logged or buffered to disk.
fn configuration(directory: &std::path::Path, address: SocketAddr, upstream: SocketAddr) -> String {
    let d = directory.display();
    let user = if fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0) {
        "user root;"
    } else {
        ""
    };
    format!(
        "{user} daemon off; worker_processes auto; pid {d}/pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; tcp_nodelay on;
  client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f; uwsgi_temp_path {d}/u; scgi_temp_path {d}/s;
  upstream provider {{ server {upstream}; keepalive 256; keepalive_requests 100000000; keepalive_timeout 600s; }}
  server {{
    listen {address} reuseport;
    location / {{
      proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection \"\";
      proxy_set_header Authorization \"Bearer fixed\";
    }}
  }}
}}
"
    )
}
