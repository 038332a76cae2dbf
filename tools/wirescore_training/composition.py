# SPDX-License-Identifier: BSD-3-Clause
"""What the attack model is made of: change it here. Read by tables.py, training.py and judging.py."""
import collections
import fnmatch

# ---- Rows ----

FEATURES = "attack"
CHECKPOINTS = "1,2,4,8,16,end"

# At most so many flows of a table with each label; a table is the rows of one capture, generated, mixed or of the lab.
Limit = collections.namedtuple("Limit", "benign attack")

# ---- Generated traffic: scenarios of `wirescore generate flows`, a capture for each of so many seeds ----

Generated = collections.namedtuple("Generated", "scenario captures duration_s max_packets limit")
GENERATED_LIMIT = Limit(500, 150)
GENERATED = (
    Generated("mix", 300, 600, 200_000, GENERATED_LIMIT),
    Generated("benign", 180, 600, 200_000, GENERATED_LIMIT),
    Generated("single", 200, 600, 50_000, Limit(400, 0)),
    Generated("office", 48, 600, 200_000, GENERATED_LIMIT),
    Generated("industrial", 48, 600, 200_000, GENERATED_LIMIT),
    Generated("datacenter", 48, 600, 200_000, GENERATED_LIMIT),
    Generated("isp", 200, 300, 200_000, GENERATED_LIMIT),
    Generated("p2p", 80, 600, 200_000, GENERATED_LIMIT),
    Generated("resolver", 40, 600, 200_000, GENERATED_LIMIT),
    Generated("scan", 80, 600, 200_000, GENERATED_LIMIT),
    Generated("bruteforce", 80, 600, 200_000, GENERATED_LIMIT),
)
FIRST_SEED = 1000
SEEDS_APART = 1000  # of one scenario from those of the next

# The model's threshold is chosen on these, beside VALIDATION_SOURCES; their seeds are others. Many captures with few
# flows each: else one whose benign flows look like an attack decides alone.
VALIDATION_LIMIT = Limit(200, 50)
VALIDATION_GENERATED = (
    Generated("mix", 60, 600, 200_000, VALIDATION_LIMIT),
    Generated("benign", 60, 600, 200_000, VALIDATION_LIMIT),
    Generated("single", 90, 600, 50_000, Limit(200, 0)),
    Generated("isp", 30, 300, 200_000, VALIDATION_LIMIT),
    Generated("bruteforce", 12, 600, 200_000, VALIDATION_LIMIT),
)
FIRST_VALIDATION_SEED = 100_000

# ---- Captures of tools/lab ----

LAB_LIMIT = Limit(3000, 500)
# Runs whose folder has such a name are held out.
LAB_VALIDATION = ("*-1",)

# ---- Real captures: benign and attack, mixed on one timeline, once for each seed ----

MIX_SEEDS = (1, 2, 3, 4, 5, 6)
MIX_OPTIONS = ("--span", "900", "--max-packets", "4000")
MIX_LIMIT = Limit(12000, 1500)

# Sources whose benign captures are not learnt from: the threshold is chosen on them, as they are.
VALIDATION_SOURCES = ("seladb/PcapPlusPlus", "CESNET/ipfixprobe")
VALIDATION_REAL_LIMIT = Limit(100_000, 0)

# The family by the name of a capture of an attack; the first that fits. None: it is left out, since it cannot be seen
# in flows of IP (ARP), is seen in what is sent alone (web exploits), or holds no attack (backscatter).
FAMILIES = (
    ("*arp*", None),
    ("*[Ww]ebattack*", None),
    ("*backscatter*", None),
    ("*ftp_brute*", "brute-ftp"),
    ("*ftp-crack*", "brute-ftp"),
    ("*hydra*", "brute-ssh"),
    ("pcaphunt_hs*", "scan-host"),
    ("pcaphunt_ps*", "scan-port"),
    ("evilfingers_x*", "scan-port"),
    ("evilfingers_nmap*", "scan-port"),
    ("*synscan*", "scan-port"),
    ("*portscan*", "scan-port"),
    ("*synflood*", "flood-syn"),
    ("*dosattack*", "flood-syn"),
    ("*amp.*snmp*", "amplification-snmp"),
    ("*amp.dns*", "amplification-dns"),
    ("*amp.TCP*", "reflection-tcp"),
)


def family_of(name):
    """The family of an attack's capture by its file name, or None where it is not learnt from."""
    for pattern, family in FAMILIES:
        if fnmatch.fnmatchcase(name.lower(), pattern.lower()):
            return family
    return None


# ---- Training ----

# Attacks that look like their benign neighbours in flows are neither learnt nor counted.
IGNORED_LABELS = ("tunnel-*", "beacon")
TRAIN_OPTIONS = (
    *("--hidden", "64,32", "--activation", "relu", "--optimizer", "adam", "--lr", "0.004", "--lr-final", "0.00002"),
    *("--epochs", "12", "--batch", "1024", "--weight-decay", "0.01", "--dropout", "0.1", "--log", "all"),
    *("--class-weight", "balanced", "--threshold", "fpr:0.001", "--seed", "42"),
)

# ---- What a model must reach before it is written, on what was held out ----

MIN_RECALL = 0.6  # of the attacks
MAX_FPR = 0.0015  # of the benign flows
MAX_REAL_FPR = 0.02  # of the flows of VALIDATION_SOURCES

# ---- Leaving sources out ----

# Benign sources that are left out each, the largest by flows, beside all with attacks that are learnt from.
N_BENIGN_LEFT_OUT = 3
# Shares of the other sources' benign flows at which recall is stated: a curve.
STATED_FPRS = (0.001, 0.003, 0.01, 0.03, 0.1)
# Benign captures with so many flows are judged each.
MIN_CAPTURE_FLOWS = 100
# A benign capture in which more flows are called attacks is named.
MAX_CAPTURE_FPR = 0.05
