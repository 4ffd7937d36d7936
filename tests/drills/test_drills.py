"""Short forms of the drills. `python -m tests.drills` runs them for ten minutes."""

import pytest

from tests.drills.downloads import KINDS
from tests.drills.faults import run_faults
from tests.drills.items import MIB
from tests.drills.kills import run_kills
from tests.drills.proxy import FAULTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SECONDS = 60
LONGEST = 50 * MIB
# What pools may still open after the warm-up: threads, and connections to SQLite of three files each.
MORE_THREADS = 8
MORE_FILES = 24
MORE_MEMORY = 64  # MiB; the allocator keeps some of what 12 responses at once needed


def test_downloads_by_five_kinds_of_clients_are_right_while_replicas_are_killed():
    counts, failures = run_kills(SECONDS, LONGEST)
    assert failures == []
    assert (counts["wrong"], counts["unfinished"], counts["tracebacks"]) == (0, 0, 0)
    assert counts["kills"] > 0
    assert counts["cut by a kill"] > 0  # the kills met downloads
    assert all(counts[f"{kind} right"] for kind in KINDS)


def test_a_mixed_load_with_faults_is_answered_right_and_leaves_nothing_behind():
    counts, failures = run_faults(SECONDS, LONGEST)
    assert failures == []
    assert (counts["wrong"], counts["lost"], counts["status 500"], counts["tracebacks"]) == (0, 0, 0, 0)
    assert all(counts[fault] for fault in FAULTS)
    assert counts["memory after"] <= counts["memory before"] + MORE_MEMORY
    assert counts["files after"] <= counts["files before"] + MORE_FILES
    assert counts["threads after"] <= counts["threads before"] + MORE_THREADS
