#!/bin/sh
# YARA-X 1.23.0 beside YARA 4.5.4 (yara-python), seen 2026-11-30: "0 of them" is "none of them" to YARA, and "at least 0 of them", which is always
# true, to YARA-X: a rule that was written so matches every file where the same rules are given to the other one. No warning is given at
# compiling. "none of them" is the same to both.
# Where it matters: docs/scanners.md, YARA: what matches is refused.
# Prints, for both conditions: whether a file that has the string, and one that has not, match
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" --quiet install yara-python==4.5.4 yara-x==1.23.0
"$place/venv/bin/python" - <<'PROGRAM'
import sys

import yara
import yara_x

RULE = 'rule example { strings: $text = "abc" condition: %s of them }'
EXPECTED = {"0": ([False, True], [True, True]), "none": ([False, True], [False, True])}
amiss = 0
for number, expected in EXPECTED.items():
    first = yara.compile(source=RULE % number)
    compiler = yara_x.Compiler()
    compiler.add_source(RULE % number)
    second = compiler.build()
    warnings = compiler.warnings()
    seen = (
        [bool(first.match(data=data)) for data in (b"xabcx", b"xyz")],
        [bool(second.scan(data).matching_rules) for data in (b"xabcx", b"xyz")],
    )
    print(f"{number} of them: YARA {seen[0]}, YARA-X {seen[1]}, {len(warnings)} warnings")
    amiss += seen != expected or bool(warnings)
sys.exit(amiss)
PROGRAM
