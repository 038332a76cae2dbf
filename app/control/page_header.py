# SPDX-License-Identifier: BSD-3-Clause
"""Makes a C header of the page: its bytes, and what a browser may load and run with it, which is only what is in it. The
counters' meanings are put into it from the lists that they are made of."""
import base64
import hashlib
import json
import pathlib
import re
import sys

import counter_lists

COUNTERS = "const COUNTERS = {};"


def digests(page, tag):
    """The hashes of what is between <tag> and </tag>, as Content-Security-Policy has them."""
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.S)
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in found)


page = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
if page.count(COUNTERS) != 1:
    sys.exit(f"page_header.py: {sys.argv[1]}: no place for the counters: {COUNTERS}")
counters = {}
for kind, name, _, says in counter_lists.counters():
    counters.setdefault(kind, {})[name] = says
page = page.replace(COUNTERS, f"const COUNTERS = {json.dumps(counters)};")
policy = (f"default-src 'none'; script-src {digests(page, 'script')}; style-src {digests(page, 'style')}; "
          "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
data = page.encode()
rows = [", ".join(str(byte) for byte in data[i:i + 24]) for i in range(0, len(data), 24)]
pathlib.Path(sys.argv[2]).write_text(
    "/* SPDX-License-Identifier: BSD-3-Clause */\n/* Made of page.html by page_header.py. */\n"
    f'#define HTTP_PAGE_POLICY "{policy}"\n'
    "static const unsigned char http_page[] = {\n\t" + ",\n\t".join(rows) + "\n};\n", encoding="utf-8")
