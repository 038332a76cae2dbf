# SPDX-License-Identifier: BSD-3-Clause
"""
The servers of the lab: what each needs, its configuration in the lab's folder, and its command line. All run in the
foreground as children. What is not installed is left out, and with it the activities that need it. Used by lab.py.
"""
import glob
import pathlib
import shutil
import sys
from dataclasses import dataclass

from .processes import Child, inside, run_tool

ACTORS = pathlib.Path(__file__).with_name("actors.py")
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
PAGE_SIZES = {"index.html": 3_000, "style.css": 9_000, "photo.jpg": 180_000, "video.mp4": 12_000_000,
              "image.iso": 25_000_000, "update.bin": 4_000_000, "api.json": 700, "empty.txt": 1}


@dataclass
class Service:
    """A server: `prepare` writes its files and gives its command lines, one process each."""

    name: str
    program: str
    prepare: object

    def find(self):
        return sys.executable if self.program == "python3" else shutil.which(self.program)

    def start(self, lab, host, address):
        """address is where it listens, or several with commas between. Returns its processes."""
        folder = lab.folder / f"{self.name}-{address.split(',')[0]}"
        folder.mkdir()
        return [Child(inside(host.namespace, command), folder / f"log-{number}")
                for number, command in enumerate(self.prepare(lab, folder, address))]


def actor(function, **arguments):
    return [sys.executable, "-B", ACTORS, function] + [f"{key}={value}" for key, value in arguments.items()]


def actor_service(name, function):
    return Service(name, "python3", lambda lab, folder, address: [actor(function, binds=address)])


def write_pages(lab):
    """The files that web, FTP and SSH servers give out, made once."""
    pages = lab.folder / "pages"
    if not pages.exists():
        pages.mkdir()
        for name, size in PAGE_SIZES.items():
            (pages / name).write_bytes(lab.rng.randbytes(size))
        links = "".join(f'<a href="page{i}.html">{i}</a><img src="photo.jpg">' for i in range(8))
        for i in range(8):
            (pages / f"page{i}.html").write_text(f"<html>{links}{'word ' * lab.rng.randrange(200, 9000)}</html>")
        (pages / "index.html").write_text(f"<html><link href=style.css>{links}</html>")
    return pages


def nginx(lab, folder, addresses):
    pages = write_pages(lab)
    address = addresses.split(",")[0]
    listen = " ".join(f"listen {one}:80; listen {one}:443 ssl;" for one in addresses.split(","))
    run_tool(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={address}",
              "-keyout", folder / "key.pem", "-out", folder / "cert.pem"])
    (folder / "users").write_text(f"lab:{run_tool(['openssl', 'passwd', '-apr1', 'correct horse'])}")
    (folder / "nginx.conf").write_text(f"""
daemon off; master_process off; user root; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 4000; }}
http {{ access_log off; keepalive_timeout 65;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  types {{ text/html html; text/css css; image/jpeg jpg; application/json json; }}
  server {{ {listen} root {pages};
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location /item {{ default_type text/html; return 200 "<html>item $arg_id<form><input name=id></form></html>"; }}
    location /private {{ auth_basic lab; auth_basic_user_file {folder}/users; }}
    location /login {{ default_type text/html; return 200 "<html>Login incorrect</html>"; }} }} }}
""")
    return [["nginx", "-c", folder / "nginx.conf", "-e", "stderr", "-p", folder]]


def sshd(lab, folder, address):
    """Logins by a key of this run only; passwords are asked for and always wrong."""
    keys = ssh_keys(lab)
    pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (folder / "sshd_config").write_text(f"""
ListenAddress {address}:22
HostKey {keys}/host
AuthorizedKeysFile {keys}/client.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication yes
MaxStartups 50:30:200
Subsystem sftp internal-sftp
""")
    # It starts itself again for each connection, and wants its whole path for that.
    return [[shutil.which("sshd"), "-D", "-e", "-f", folder / "sshd_config"]]


def ssh_keys(lab):
    keys = lab.folder / "ssh-keys"
    if not keys.exists():
        keys.mkdir(mode=0o700)
        for name in ("host", "client"):
            run_tool(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", keys / name])
    return keys


def vsftpd(lab, folder, address):
    """Anonymous reading, and logins that fail: attackers use names that no machine has."""
    pages = write_pages(lab)
    (folder / "vsftpd.conf").write_text(f"""
listen=YES
listen_address={address}
background=NO
anonymous_enable=YES
local_enable=YES
pam_service_name=vsftpd
anon_root={pages}
no_anon_password=YES
secure_chroot_dir={folder}/empty
seccomp_sandbox=NO
isolate=NO
isolate_network=NO
xferlog_enable=NO
run_as_launching_user=NO
max_login_fails=3
""")
    (folder / "empty").mkdir()
    return [["vsftpd", folder / "vsftpd.conf"]]


def dnsmasq(lab, folder, address):
    """Knows any name in .lab and nothing else."""
    (folder / "dnsmasq.conf").write_text(f"""
no-resolv
no-hosts
no-daemon
user=root
pid-file=
bind-interfaces
listen-address={address}
except-interface=lo
address=/lab/{lab.web_address}
txt-record=txt.lab,{'x' * 180},{'y' * 200}
mx-host=lab,mail.lab,10
dns-forward-max=1000
cache-size=0
""")
    return [["dnsmasq", "-C", folder / "dnsmasq.conf", "-k"]]


def dovecot(lab, folder, address):
    """Any name and password are right; mail lives in the lab's folder."""
    folder.chmod(0o755)
    (folder / "mail").mkdir()
    shutil.chown(folder / "mail", 65534, 65534)
    (folder / "dovecot.conf").write_text(f"""
protocols = imap
listen = {address}
base_dir = {folder}/run
state_dir = {folder}/state
log_path = /dev/stderr
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail
first_valid_uid = 1
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=65534 gid=65534 home={folder}/mail
}}
""")
    return [["dovecot", "-F", "-c", folder / "dovecot.conf"]]


def mosquitto(lab, folder, address):
    (folder / "mosquitto.conf").write_text(f"listener 1883 {address}\nallow_anonymous true\nuser nobody\n")
    return [["mosquitto", "-c", folder / "mosquitto.conf"]]


def snmpd(lab, folder, address):
    (folder / "snmpd.conf").write_text(
        f"rocommunity public\nsysLocation rack 3\nsysContact lab\npersistentDir {folder}\n")
    return [["env", f"SNMP_PERSISTENT_DIR={folder}", f"SNMPCONFPATH={folder}", "snmpd", "-f", "-Lo",
             "-C", "-c", folder / "snmpd.conf", "-p", folder / "pid", f"udp:{address}:161"]]


def chronyd(lab, folder, address):
    """-x: it never touches the clock."""
    (folder / "chrony.conf").write_text(f"local stratum 8\nallow all\nbindaddress {address}\ncmdport 0\n"
                                        f"pidfile {folder}/pid\n")
    return [["chronyd", "-x", "-d", "-u", "root", "-f", folder / "chrony.conf"]]


def iperf3(lab, folder, address):
    return [["iperf3", "-s", "-B", address, "-p", port] for port in (5201, 5202, 5203, 5204)]


def redis(lab, folder, address):
    return [["redis-server", "--bind", address, "--protected-mode", "no", "--save", "", "--dir", folder]]


def find_postgres(program):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{program}"))
    return found[-1] if found else None


def postgres(lab, folder, address):
    shutil.chown(folder, 65534, 65534)
    run_tool(NOBODY + [find_postgres("initdb"), "-D", folder / "data", "-U", "lab", "-A", "trust", "--no-sync",
                       "--no-instructions"])
    with open(folder / "data/pg_hba.conf", "a", encoding="ascii") as file:
        file.write("host all all 10.0.0.0/8 trust\nhost all all 198.18.0.0/15 trust\n")
    return [NOBODY + [find_postgres("postgres"), "-D", folder / "data", "-c", f"listen_addresses={address}",
                      "-c", f"unix_socket_directories={folder}", "-c", "fsync=off", "-c", "max_connections=60"]]


class Postgres(Service):
    """Its programs are in a folder of its version."""

    def find(self):
        return find_postgres("postgres")


def smbd(lab, folder, address):
    pages = write_pages(lab)
    (folder / "smb.conf").write_text(f"""
[global]
interfaces = {address}
bind interfaces only = yes
map to guest = Bad User
smb ports = 445
disable netbios = yes
load printers = no
log file = {folder}/smbd.log
{''.join(f'{name} = {folder}{chr(10)}' for name in (
    'private dir', 'lock directory', 'state directory', 'cache directory', 'pid directory', 'ncalrpc dir'))}
[pages]
path = {pages}
guest ok = yes
read only = yes
""")
    return [["smbd", "-F", "--no-process-group", "-s", folder / "smb.conf"]]


SERVICES = {service.name: service for service in [
    Service("nginx", "nginx", nginx), Service("sshd", "sshd", sshd), Service("vsftpd", "vsftpd", vsftpd),
    Service("dnsmasq", "dnsmasq", dnsmasq), Service("dovecot", "dovecot", dovecot),
    Service("mosquitto", "mosquitto", mosquitto), Service("snmpd", "snmpd", snmpd),
    Service("chronyd", "chronyd", chronyd), Service("iperf3", "iperf3", iperf3),
    Service("redis", "redis-server", redis), Postgres("postgres", "postgres", postgres), Service("smbd", "smbd", smbd),
    actor_service("modbus", "modbus_server"), actor_service("telnet", "telnet_server"),
    actor_service("smtp", "smtp_server"),
    Service("peers", "python3", lambda lab, folder, addresses: [actor("peers_server", binds=addresses, port=6881)]),
    Service("sink", "python3", lambda lab, folder, address: [actor("udp_sink", bind=address, ports="514,2055,4712")]),
]}
