//! Other people's programs, and a world that answers truly.

use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::site::eventually;

/// What every name leads to in truth.
pub(crate) const TRUE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

/// Whether all of these programs are here; `root` stands for being root.
pub(crate) fn peers(test: &str, programs: &[&str]) -> bool {
    let is_there = |program: &str| {
        if program == "root" {
            return Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
        }
        let mut found = Command::new("sh");
        found.args(["-c", &format!("PATH=$PATH:/usr/sbin command -v {program}")]);
        found.output().is_ok_and(|found| found.status.success())
    };
    let missing: Vec<&str> = programs.iter().copied().filter(|program| !is_there(program)).collect();
    if missing.is_empty() {
        return true;
    }
    let why = format!("skipped: {test}: {} is missing", missing.join(", "));
    assert!(env::var_os("RINGFENCE_REQUIRE_PEERS").is_none_or(|value| value != "1"), "{why}");
    eprintln!("{why}");
    false
}

/// A command that is found where only root looks, too.
pub(crate) fn program(name: &str) -> Command {
    let near = Path::new("/usr/sbin").join(name);
    Command::new(if near.exists() { near.into_os_string() } else { name.into() })
}

/// Asks for A as the client `from`; the first address of the answer.
pub(crate) fn dig(port: u16, name: &str, from: &str) -> Option<Ipv4Addr> {
    let asked = Command::new("dig")
        .args(["@127.0.0.1", "-p", &port.to_string(), "-b", from, "+tries=1", "+time=20", "+nocookie"])
        .args(["+short", "A", name])
        .output()
        .unwrap();
    String::from_utf8_lossy(&asked.stdout).lines().find_map(|line| line.trim().parse().ok())
}

/// Answers every question about A with the true address, over UDP, and all others with no data.
pub(crate) fn world() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 2_048];
        while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
            if let Some(answer) = truth(&buffer[..length]) {
                let _lost = socket.send_to(&answer, peer);
            }
        }
    });
    address
}

fn truth(query: &[u8]) -> Option<Vec<u8>> {
    let mut end = 12;
    while *query.get(end)? != 0 {
        end += usize::from(query[end]) + 1;
    }
    let question = query.get(12..end + 5)?;
    let is_a = question[question.len() - 4..] == [0, 1, 0, 1];
    let mut answer =
        vec![query[0], query[1], 0x84 | (query[2] & 1), 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0];
    answer.extend_from_slice(question);
    if is_a {
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend_from_slice(&TRUE.octets());
    }
    Some(answer)
}

/// The key by which resolvers that can sign do so, as `dig -y` wants it.
pub(crate) const KEY: &str = "hmac-sha256:transfer.guard:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// A guard's zones, in the order in which they count.
const ZONES: [&str; 2] = ["allow.rpz.guard.example", "indicators.rpz.guard.example"];

/// A resolver, as a secondary of a guard's zones.
pub(crate) struct Resolver(Child);

impl Resolver {
    /// Unbound. It cannot sign before 1.24.
    pub(crate) fn unbound(folder: &Path, port: u16, primary: u16, world: SocketAddr) -> Self {
        fs::create_dir_all(folder).unwrap();
        let mut text = format!(
            "server:\n interface: 127.0.0.1@{port}\n do-daemonize: no\n username: \"\"\n chroot: \"\"\n directory: \"{dir}\"\n \
             pidfile: \"{dir}/pid\"\n use-syslog: no\n logfile: \"{dir}/log\"\n do-not-query-localhost: no\n cache-max-ttl: 0\n \
             module-config: \"respip iterator\"\n verbosity: 1\nremote-control:\n control-enable: no\n\
             forward-zone:\n name: \".\"\n forward-addr: 127.0.0.1@{world}\n",
            dir = folder.display(),
            world = world.port(),
        );
        for zone in ZONES {
            write!(text, "rpz:\n name: {zone}\n primary: 127.0.0.1@{primary}\n zonefile: \"{zone}.zone\"\n")
                .unwrap();
        }
        let config = folder.join("unbound.conf");
        fs::write(&config, text).unwrap();
        Self::start(program("unbound").arg("-d").arg("-c").arg(&config), folder, port)
    }

    /// BIND, which signs.
    pub(crate) fn bind(folder: &Path, port: u16, primary: u16, world: SocketAddr) -> Self {
        fs::create_dir_all(folder).unwrap();
        let mut text = format!(
            "options {{ directory \"{dir}\"; pid-file \"{dir}/pid\"; session-keyfile \"{dir}/session\"; \
             listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; dnssec-validation no; recursion yes; \
             forwarders {{ 127.0.0.1 port {world}; }}; forward only; max-cache-ttl 1; max-ncache-ttl 1; \
             min-refresh-time 1; min-retry-time 1; response-policy {{",
            dir = folder.display(),
            world = world.port(),
        );
        for zone in ZONES {
            write!(text, " zone \"{zone}\" min-update-interval 0;").unwrap();
        }
        let secret = KEY.rsplit(':').next().unwrap();
        write!(
            text,
            " }} qname-wait-recurse no; }};\ncontrols {{ }};\n\
             key \"transfer.guard\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n"
        )
        .unwrap();
        for zone in ZONES {
            writeln!(
                text,
                "zone \"{zone}\" {{ type secondary; primaries port {primary} {{ 127.0.0.1 key \"transfer.guard\"; }}; \
                 file \"{zone}.zone\"; }};"
            )
            .unwrap();
        }
        let config = folder.join("named.conf");
        fs::write(&config, text).unwrap();
        Self::start(program("named").arg("-g").arg("-c").arg(&config), folder, port)
    }

    /// PowerDNS Recursor, which signs, and asks every second instead of being told.
    pub(crate) fn powerdns(folder: &Path, port: u16, primary: u16, world: SocketAddr) -> Self {
        fs::create_dir_all(folder).unwrap();
        let secret = KEY.rsplit(':').next().unwrap();
        let mut zones = String::new();
        for zone in ZONES {
            writeln!(
                zones,
                "rpzPrimary(\"127.0.0.1:{primary}\", \"{zone}\", {{refresh=1, tsigname=\"transfer.guard\", \
                 tsigalgo=\"hmac-sha256\", tsigsecret=\"{secret}\"}})"
            )
            .unwrap();
        }
        fs::write(folder.join("zones.lua"), zones).unwrap();
        let text = format!(
            "local-address=127.0.0.1\nlocal-port={port}\ndaemon=no\nsocket-dir={dir}\nlua-config-file={dir}/zones.lua\n\
             dnssec=off\nforward-zones-recurse=.=127.0.0.1:{world}\nmax-cache-ttl=1\nmax-negative-ttl=1\n\
             disable-packetcache=yes\nthreads=1\nquiet=yes\nhint-file=no\n",
            dir = folder.display(),
            world = world.port(),
        );
        fs::write(folder.join("recursor.conf"), text).unwrap();
        let config = format!("--config-dir={}", folder.display());
        Self::start(program("pdns_recursor").arg(config), folder, port)
    }

    fn start(command: &mut Command, folder: &Path, port: u16) -> Self {
        let log = File::create(folder.join("output")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let resolver = Self(command.spawn().unwrap());
        eventually("the resolver listens", || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        resolver
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Writes a capture of one UDP packet for each of these flows (the classic format of libpcap).
pub(crate) fn write_capture(path: &Path, flows: &[(Ipv4Addr, Ipv4Addr)]) {
    let mut out = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
        out.extend(word.to_le_bytes());
    }
    for (port, (source, destination)) in (20_000_u16..).zip(flows) {
        let mut frame = vec![2; 12];
        frame.extend([8, 0, 0x45, 0, 0, 20 + 48, 0, 1, 0, 0, 64, 17, 0, 0]);
        frame.extend(source.octets());
        frame.extend(destination.octets());
        frame.extend([port, 443, 8 + 40, 0].map(u16::to_be_bytes).concat());
        frame.extend([0x78; 40]);
        let size = u32::try_from(frame.len()).unwrap();
        for word in [1_750_000_000, u32::from(port), size, size] {
            out.extend(word.to_le_bytes());
        }
        out.extend(frame);
    }
    fs::write(path, out).unwrap();
}

/// Lets `softflowd` tell of a capture as NetFlow v9.
pub(crate) fn softflowd(folder: &Path, capture: &Path, collector: u16) -> Output {
    Command::new("timeout")
        .args(["60", "/usr/sbin/softflowd", "-d", "-v", "9", "-n"])
        .arg(SocketAddr::from((IpAddr::from(Ipv4Addr::LOCALHOST), collector)).to_string())
        .arg("-r")
        .arg(capture)
        // It has a control socket otherwise, and may wait there for somebody after the end of the file.
        .args(["-c", "none", "-p"])
        .arg(folder.join("softflowd.pid"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}
