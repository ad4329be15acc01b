"""A story of a small platform told by boto3, from an empty account and back: one call after the
other through every service, with waiters and paginators, each answer compared with the model.

usage: story.py PROGRAM [-v]    a static program that serves /health on $PORT, or does "exit CODE"
"""

import sys
import traceback

import boto3
import chapters
import events
import mesh
import network
import objects
import parameters
import stacks
from strict import Strict

TOLD = [
    network.identity, network.roles, network.vpc, parameters.parameters, objects.buckets, objects.objects, objects.uploads, objects.versions,
    chapters.registry, events.events, chapters.logs, chapters.names, mesh.mesh, chapters.balancer, chapters.containers, stacks.stacks,
]


class World:
    """What the chapters share, and how to undo what they did."""

    def __init__(self, program):
        self.strict = Strict()
        self.program = program
        self.region = boto3.session.Session().region_name
        self.undo = []  # called last first

    def client(self, name, **kw):
        return self.strict.client(name, **kw)


def main():
    world = World(sys.argv[1])
    s = world.strict
    failed = 0
    try:
        for chapter in TOLD:
            before = s.calls
            chapter(world)
            print(f"{chapter.__name__}: {s.calls - before} calls", flush=True)
    except Exception:
        failed = 1
        traceback.print_exc()
    for step in reversed(world.undo):
        try:
            step()
        except Exception:
            failed = 1
            traceback.print_exc()
    for fault in sorted(s.faults):
        print("FAULT", fault)
    if "-v" in sys.argv:
        for name in sorted(s.operations):
            print(name, *sorted(p for p in s.seen[name] if p))
    print(f"{s.calls} calls of {len(s.operations)} operations, {len(s.faults)} faults")
    sys.exit(1 if failed or s.faults else 0)


if __name__ == "__main__":
    main()
