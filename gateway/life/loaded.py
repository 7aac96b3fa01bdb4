"""What the gateway runs with: a policy, and where it is from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from gateway import registry
from gateway.kernel.fingerprint import fingerprint, with_files
from gateway.kernel.lastgood import LastGood
from gateway.policy.divert import WhenBroken
from gateway.policy.load import load as load_policy
from gateway.policy.policy import Policy
from gateway.policy.problem import PolicyError
from gateway.policy.workers import AUTO, MOST


class Loaded(NamedTuple):
    """A policy, and the fingerprint of the files it was loaded from."""

    policy: Policy
    fingerprint: str
    broken: str = ""
    """What is wrong with the configuration, if this is the last good policy in its place."""


def load(directory: Path) -> Loaded:
    """
    Load the configuration in C{directory}. The fingerprint is taken first: what changes in
    between is noticed by the keeper.

    @raise PolicyError: it is wrong.
    @raise OSError: it can't be read.
    """
    taken = fingerprint(directory)
    policy = load_policy(directory, registry.find)
    return Loaded(policy, with_files(taken, policy.files))


def begin_with(directory: Path, kept: LastGood) -> Loaded:
    """
    Load what a start begins with: the configuration in C{directory}, or, if that is broken and
    the last good policy says so, the last good policy.

    @raise PolicyError: the configuration is wrong.
    @raise OSError: it can't be read.
    """
    try:
        return load(directory)
    except (PolicyError, OSError) as error:
        try:
            last = load(kept.configuration)
        except (PolicyError, OSError):
            raise error from None
        if last.policy.divert.when_broken is not WhenBroken.LAST:
            raise
        return last._replace(broken=str(error))


def count_of(policy: Policy) -> int:
    """How many workers there are to be, on this host."""
    if policy.workers.count != AUTO:
        return policy.workers.count
    return min(MOST, len(os.sched_getaffinity(0)))
