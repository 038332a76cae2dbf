# SPDX-License-Identifier: BSD-3-Clause
"""The Debian packages of the lab, also for tools/install-packages: what every run needs, and the rest."""
import subprocess

REQUIRED = ["iproute2", "nftables", "ethtool", "procps", "util-linux", "tcpdump", "openssl", "curl", "nginx",
            "openssh-server", "openssh-client", "dnsmasq-base", "bind9-dnsutils", "nmap", "hping3", "hydra"]
OPTIONAL = ["vsftpd", "dovecot-imapd", "mosquitto", "mosquitto-clients", "snmpd", "snmp", "chrony", "iperf3",
            "redis-server", "postgresql", "samba", "smbclient", "wget", "rsync", "fping", "iputils-ping", "masscan",
            "slowhttptest", "medusa", "sqlmap", "dirb", "dsniff"]


def versions():
    """The versions of those that are installed."""
    result = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\n",
                             *REQUIRED, *OPTIONAL, "postgresql-[0-9]*"], capture_output=True, text=True, check=False)
    rows = [line.split() for line in result.stdout.splitlines()]
    return {row[1]: row[2] for row in rows if len(row) == 3 and row[0] == "installed"}
