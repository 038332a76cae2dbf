# SPDX-License-Identifier: BSD-3-Clause
"""
Benign activities: what a client at one address does over the time of a run, as events on the timeline, drawn by the
run's seed. ACTIVITIES names them for scenarios.py, with the servers and programs that each needs. Used by lab.py.
"""
from dataclasses import dataclass

from .services import actor

PAGES = [f"page{i}.html" for i in range(8)]


@dataclass
class Event:
    """A command line to start at a moment of the timeline, and how long it may run."""

    at_s: float
    command: list
    limit_s: float


@dataclass
class Client:
    """One address of a host, the run it takes part in, and servers that it leaves alone."""

    lab: object
    host: object
    address: str
    duration_s: float
    rng: object
    avoid: frozenset = frozenset()

    def moment(self, share=1.0):
        """A moment in the first share of the run."""
        return self.rng.uniform(0, share * self.duration_s)

    def moments(self, gap_s, spread=True):
        """Moments from early on to the end, with gaps of that mean (exponential, or nearly even)."""
        at = self.rng.uniform(0, min(gap_s, self.duration_s / 2))
        while at < self.duration_s:
            yield at
            at += self.rng.expovariate(1 / gap_s) if spread else gap_s * self.rng.gauss(1, 0.03)

    def pick(self, service):
        return self.rng.choice(self.places(service))

    def places(self, service):
        return [address for address in self.lab.reachable(service, self.host) if address not in self.avoid]

    def all(self, service):
        return ",".join(self.places(service))

    def running(self, function, **arguments):
        """An actor that runs from a moment near the start to the end."""
        at = self.rng.uniform(0, 0.15 * self.duration_s)
        rest = self.duration_s - at
        return [Event(at, actor(function, source=self.address, duration_s=round(rest, 2),
                                seed=self.rng.randrange(1 << 30), **arguments), rest + 5)]

    def curl(self, *arguments):
        return ["curl", "-s", "-k", "--interface", self.address, "--connect-timeout", "5", *arguments]

    def ssh(self, program="ssh"):
        keys = self.lab.folder / "ssh-keys"
        options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR",
                   f"BindAddress={self.address}", "IdentityAgent=none"]
        return [program, "-F", "none", "-i", keys / "client", *(part for option in options for part in ("-o", option))]


def browse(me):
    """Pages with their parts over one or several connections, and time to read between."""
    events = []
    for at in me.moments(me.rng.uniform(4, 15)):
        server, scheme = me.pick("nginx"), me.rng.choice(["http", "https", "https"])
        if me.rng.random() < 0.4:
            events.append(Event(at, ["dig", "-b", me.address, "+tries=1", "+short", f"@{me.pick('dnsmasq')}",
                                     f"www{me.rng.randrange(50)}.lab"], 5))
        names = ["style.css"] + me.rng.sample(PAGES, me.rng.randrange(1, 4))
        names += [f"photo.jpg?{i}" for i in range(me.rng.randrange(4))]
        parallel = ["--parallel", "--parallel-immediate"] if me.rng.random() < 0.4 else []
        outputs = [part for name in names for part in ("-o", "/dev/null", f"{scheme}://{server}/{name}")]
        events.append(Event(at + 0.1, me.curl(*parallel, *outputs), 40))
    return events


def mirror(me):
    return [Event(me.moment(0.7), ["wget", "-q", "-r", "-l", "2", "-Q", "30m", "--delete-after", "-P",
                                   me.lab.folder / f"wget-{me.address}", f"--bind-address={me.address}",
                                   f"http://{me.pick('nginx')}/"], 60)]


def download(me):
    name = me.rng.choice(["image.iso", "update.bin", "update.bin"])
    return [Event(me.moment(0.8), me.curl("--limit-rate", me.rng.choice(["1M", "3M", "10M"]), "-o", "/dev/null",
                                          f"{me.rng.choice(['http', 'https'])}://{me.pick('nginx')}/{name}"), 60)]


def upload(me):
    return [Event(me.moment(0.8), me.curl("-T", me.lab.folder / "pages/update.bin", "--limit-rate", "2M", "-o",
                                          "/dev/null", f"http://{me.pick('nginx')}/login"), 40)]


def watch_video(me):
    """Pieces of a film, fetched one after the other at the pace of watching."""
    start, pace_s, server = me.moment(0.3), me.rng.uniform(4, 10), me.pick("nginx")
    rate = f"{me.rng.randrange(150, 600)}k"
    return [Event(start + i * pace_s, me.curl("--limit-rate", rate, "-o", "/dev/null", "-r", f"{i}000000-{i}999999",
                                              f"https://{server}/video.mp4"), 60) for i in range(12)]


def udp_stream(me):
    length = me.rng.uniform(0.2, 0.6) * me.duration_s
    return [Event(me.moment(0.4), ["iperf3", "-c", me.pick("iperf3"), "-B", me.address, "-p",
                                   str(me.rng.randrange(5201, 5205)), "-u", "-b", f"{me.rng.randrange(300, 2500)}k",
                                   "-t", str(int(length)), *(["-R"] if me.rng.random() < 0.5 else [])], length + 10)]


def lookups(me):
    return [Event(at, ["dig", "-b", me.address, "+tries=2", "+time=2", "+short", f"@{me.pick('dnsmasq')}",
                       me.rng.choice(["mail.lab", "txt.lab", "x.lab", "nothing.example"]),
                       me.rng.choice(["A", "A", "AAAA", "TXT", "MX"])], 8) for at in me.moments(8)]


def busy_resolver(me):
    return me.running("resolver", servers=me.all("dnsmasq"), per_second=me.rng.randrange(10, 60),
                      one_port=int(me.rng.random() < 0.2))


def snmp_poll(me):
    events = []
    for at in me.moments(me.rng.uniform(3, 8), spread=False):
        tool, tail = me.rng.choice([("snmpget", ["1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.5.0"]),
                                    ("snmpbulkwalk", ["1.3.6.1.2.1.2"]), ("snmpwalk", ["1.3.6.1.2.1.1"])])
        events.append(Event(at, [tool, "-v2c", "-c", "public", f"--clientaddr={me.address}", "-t", "2", "-r", "1",
                                 me.pick("snmpd"), *tail], 15))
    return events


def mqtt(me):
    broker, topic = me.pick("mosquitto"), f"plant/{me.address}"
    listen = Event(me.moment(0.1), ["mosquitto_sub", "-h", broker, "-A", me.address, "-t", "plant/#", "-k", "10",
                                    "-q", str(me.rng.randrange(2))], me.duration_s + 5)
    return [listen] + [Event(at, ["mosquitto_pub", "-h", broker, "-A", me.address, "-t", topic, "-m",
                                  "7" * me.rng.randrange(10, 400)], 10)
                       for at in me.moments(me.rng.uniform(2, 6), spread=False)]


def modbus_poll(me):
    return me.running("modbus_poller", servers=me.all("modbus"), period_s=me.rng.choice([0.2, 0.5, 1, 2]), keep=1,
                      count=me.rng.choice([2, 10, 60]))


def modbus_short_poll(me):
    """A poller that connects anew for each question."""
    return me.running("modbus_poller", servers=me.all("modbus"), period_s=me.rng.choice([0.5, 1, 2, 5]), keep=0)


def backup(me):
    how = me.rng.randrange(3)
    server = me.pick("sshd")
    target = me.lab.folder / f"backup-{me.address}"
    if how == 0:
        command = me.ssh("scp") + ["-q", "-l", "60000", f"root@{server}:{me.lab.folder}/pages/image.iso", target]
    elif how == 1:
        shell = " ".join(map(str, me.ssh()))
        source = f"root@{server}:{me.lab.folder}/pages/"
        command = ["rsync", "-a", "--bwlimit=6m", "-e", shell, source, f"{target}.d/"]
    else:
        command = me.ssh() + [f"root@{server}", f"cat {me.lab.folder}/pages/image.iso"]
        command = ["sh", "-c", 'exec "$@" >/dev/null', "sh", *command]
    return [Event(me.moment(0.6), command, 60)]


def idle_ssh(me):
    return [Event(me.moment(0.2), me.ssh() + ["-N", "-o", f"ServerAliveInterval={me.rng.randrange(5, 30)}",
                                              f"root@{me.pick('sshd')}"], me.duration_s)]


def ssh_commands(me):
    """An operator, or a tool that keeps many hosts in order: many short logins."""
    gap_s = me.rng.choice([3, 6, 15])
    return [Event(at, me.ssh() + [f"root@{me.pick('sshd')}", f"sleep {me.rng.uniform(0, 2):.1f}; uptime"], 15)
            for at in me.moments(gap_s)]


def fetch_ftp(me):
    names = ["photo.jpg", "", "api.json"]
    return [Event(at, me.curl("-o", "/dev/null", f"ftp://{me.pick('vsftpd')}/{me.rng.choice(names)}"), 30)
            for at in me.moments(12)]


def share_files(me):
    return [Event(at, ["smbclient", "-N", "-c", f"ls; get photo.jpg /dev/null; get {me.rng.choice(PAGES)} /dev/null",
                       f"//{me.pick('smbd')}/pages"], 20) for at in me.moments(10)]


def web_health(me):
    """A balancer: opens a connection to each server, closes it; one port refuses."""
    targets = [f"{address}:80" for address in me.lab.reachable("nginx", me.host)] + [f"{me.pick('nginx')}:8080"]
    return me.running("health_check", targets=",".join(targets), period_s=me.rng.choice([0.5, 1, 2, 5]),
                      page=me.rng.choice(["", "", "empty.txt"]))


def busy_web(me):
    """What a server at the centre of attention sees from one of many: short requests without a pause."""
    return me.running("health_check", targets=f"{me.pick('nginx')}:80", period_s=me.rng.choice([0.02, 0.05, 0.1]),
                      page=me.rng.choice(["api.json", "page1.html", "empty.txt", "photo.jpg"]))


def monitor_all(me):
    """Touches every server on each of its ports, one after the other."""
    targets = [f"{address}:{port}" for service, port in
               (("nginx", 80), ("nginx", 443), ("sshd", 22), ("vsftpd", 21), ("smtp", 25), ("dovecot", 143),
                ("mosquitto", 1883), ("redis", 6379), ("postgres", 5432), ("modbus", 502), ("telnet", 23))
               for address in me.lab.reachable(service, me.host)]
    return me.running("health_check", targets=",".join(targets + me.lab.idle_targets),
                      period_s=me.rng.choice([5, 10, 20]))


def ping_all(me):
    everyone = sorted({address for service in me.lab.places for address in me.lab.reachable(service, me.host)})
    return [Event(me.moment(0.1), ["fping", "-q", "-l", "-S", me.address, "-p", str(me.rng.choice([1000, 5000])),
                                   *everyone], me.duration_s)]


def ping_one(me):
    return [Event(me.moment(0.3), ["ping", "-q", "-I", me.address, "-i", str(me.rng.choice([0.5, 1, 5])), "-s",
                                   str(me.rng.choice([56, 56, 1000])), me.pick("nginx")], me.duration_s)]


def call_api(me):
    """A program that asks a small question every few seconds."""
    return [Event(at, me.curl("-o", "/dev/null", f"https://{me.pick('nginx')}/api.json"), 10)
            for at in me.moments(me.rng.choice([2, 5, 10]), spread=False)]


def send_mail(me):
    return [Event(at, actor("send_mail", source=me.address, server=me.pick("smtp"),
                            size_bytes=int(me.rng.lognormvariate(9, 1.3))), 20) for at in me.moments(12)]


def read_mail(me):
    if me.rng.random() < 0.5:
        return me.running("fetch_mail", server=me.pick("dovecot"))
    return [Event(at, actor("fetch_mail", source=me.address, server=me.pick("dovecot"),
                            seed=me.rng.randrange(999)), 20) for at in me.moments(15)]


def keep_time(me):
    return me.running("ntp_client", servers=me.all("chronyd"), period_s=me.rng.choice([2, 8, 16]))


def use_redis(me):
    return me.running("redis_client", server=me.pick("redis"), period_s=me.rng.choice([0.1, 0.3, 1]))


def use_postgres(me):
    return me.running("postgres_client", server=me.pick("postgres"), period_s=me.rng.choice([0.2, 0.5, 2]))


def send_measurements(me):
    """Phasors 25 to 50 times a second, or log lines now and then; nothing answers."""
    port, pace = me.rng.choice([(4712, 25), (4712, 50), (514, 3), (2055, 2)])
    return me.running("udp_source", target=me.pick("sink"), port=port, per_second=pace,
                      size_bytes=me.rng.choice([60, 120, 400]))


def share_with_peers(me):
    return me.running("peer_to_peer", peers=me.all("peers"), port=6881, per_second=me.rng.choice([3, 10, 30]))


def operate_device(me):
    return [Event(at, actor("telnet_session", source=me.address, server=me.pick("telnet"),
                            n_commands=me.rng.randrange(2, 8), seed=me.rng.randrange(999)), 40)
            for at in me.moments(25)]


@dataclass
class Kind:
    """An activity's function, the servers and the programs without which it is left out."""

    events: object
    services: tuple = ()
    programs: tuple = ()


ACTIVITIES = {
    "browse": Kind(browse, ("nginx", "dnsmasq"), ("curl", "dig")),
    "mirror": Kind(mirror, ("nginx",), ("wget",)),
    "download": Kind(download, ("nginx",), ("curl",)),
    "upload": Kind(upload, ("nginx",), ("curl",)),
    "video": Kind(watch_video, ("nginx",), ("curl",)),
    "udp-stream": Kind(udp_stream, ("iperf3",), ("iperf3",)),
    "lookups": Kind(lookups, ("dnsmasq",), ("dig",)),
    "resolver": Kind(busy_resolver, ("dnsmasq",)),
    "snmp-poll": Kind(snmp_poll, ("snmpd",), ("snmpget", "snmpwalk", "snmpbulkwalk")),
    "mqtt": Kind(mqtt, ("mosquitto",), ("mosquitto_pub", "mosquitto_sub")),
    "modbus-poll": Kind(modbus_poll, ("modbus",)),
    "modbus-short-poll": Kind(modbus_short_poll, ("modbus",)),
    "backup": Kind(backup, ("sshd", "nginx"), ("ssh", "scp", "rsync")),
    "idle-ssh": Kind(idle_ssh, ("sshd",), ("ssh",)),
    "ssh-commands": Kind(ssh_commands, ("sshd",), ("ssh",)),
    "ftp": Kind(fetch_ftp, ("vsftpd",), ("curl",)),
    "smb": Kind(share_files, ("smbd",), ("smbclient",)),
    "web-health": Kind(web_health, ("nginx",)),
    "busy-web": Kind(busy_web, ("nginx",)),
    "monitor-all": Kind(monitor_all),
    "ping-all": Kind(ping_all, (), ("fping",)),
    "ping": Kind(ping_one, ("nginx",), ("ping",)),
    "api": Kind(call_api, ("nginx",), ("curl",)),
    "send-mail": Kind(send_mail, ("smtp",)),
    "read-mail": Kind(read_mail, ("dovecot",)),
    "ntp": Kind(keep_time, ("chronyd",)),
    "redis": Kind(use_redis, ("redis",)),
    "postgres": Kind(use_postgres, ("postgres",)),
    "measurements": Kind(send_measurements, ("sink",)),
    "peers": Kind(share_with_peers, ("peers",)),
    "telnet": Kind(operate_device, ("telnet",)),
}
