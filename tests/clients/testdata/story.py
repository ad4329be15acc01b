"""A story of a small platform told by boto3, from an empty account and back: one call after the
other through every service, with waiters and paginators, each answer compared with the model.

usage: story.py PROGRAM    a static program that serves /health on $PORT, or does "exit CODE"
"""

import sys

import boto3
import network
import platform_story as platform
import stacks
from strict import Strict

TOLD = [network.identity, network.roles, network.vpc, platform.registry, platform.logs, platform.names, platform.balancer, platform.containers, stacks.stacks]


class World:
    """What the chapters share, and what they left for the end."""

    def __init__(self, program):
        self.strict = Strict()
        self.program = program
        self.region = boto3.session.Session().region_name
        self.undo = []  # called last first

    def client(self, name, **kw):
        return self.strict.client(name, **kw)


def main():
    world = World(sys.argv[1])
    try:
        for chapter in TOLD:
            before = world.strict.calls
            chapter(world)
            print(f"{chapter.__name__}: {world.strict.calls - before} calls", flush=True)
    finally:
        for step in reversed(world.undo):
            step()
    s = world.strict
    for fault in sorted(s.faults):
        print("FAULT", fault)
    print(f"{s.calls} calls of {len(s.operations)} operations, {len(s.faults)} faults")
    if "-v" in sys.argv:
        for name in sorted(s.operations):
            print(name, *sorted(p for p in s.seen[name] if p))
    sys.exit(1 if s.faults else 0)


if __name__ == "__main__":
    main()
