"""For scripts/rollout-demo: two rollouts in the demo's Envoy, one of a healthy canary and one of a canary that breaks at 25 %."""

import getpass
import os
import re
import subprocess
import sys
import tempfile

from demo import SPLITCTL, Demo

# One request in ten fails on both sides, so that there is something to compare within a minute.
FAILING, BROKEN = "10", "60"
RATE = 300


class Scene:
    def __init__(self, root, folder):
        self.folder = folder
        # The log says who began it.
        os.environ.setdefault("USER", getpass.getuser())
        kit = f"{root}/envoy/rollout"
        with open(f"{kit}/policy.yaml", encoding="utf-8") as file:
            self.policy = file.read()
        with open(f"{kit}/rollout.yaml", encoding="utf-8") as file:
            self.rollout = file.read()
        self.demo = Demo(folder, self.policy, rate=RATE)
        self.write("rollout.yaml")
        for service in ("checkout-v1", "checkout-v2"):
            self.fail(service, FAILING)

    def write(self, name):
        self.demo.write(name, self.rollout.replace("http://127.0.0.1:9090", f"http://{self.demo.prometheus}"))

    def fail(self, service, percent):
        at = self.demo.services[service]
        self.demo.wait(lambda: self.demo.get(at, "/") is not None or percent == BROKEN)
        subprocess.check_call([SPLITCTL, "demo", "set", at, "--failing", percent], stdout=subprocess.DEVNULL)

    def run(self, *words, fine=(0,)):
        """A command as a person sees it; every line is shown when it comes, and given to `seen`."""
        print(f"$ splitctl rollout {' '.join(words)}", flush=True)
        done = subprocess.run([SPLITCTL, "rollout", *words], cwd=self.folder, check=False)
        if done.returncode not in fine:
            sys.exit(f"it ended with {done.returncode}")
        print(flush=True)

    def start(self, name, wanted, seen=lambda line: None):
        print(f"$ splitctl rollout start {name}", flush=True)
        # Without a terminal in between it would tell programs.
        command = [SPLITCTL, "rollout", "start", name, "--format", "human"]
        with subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                print(line, end="", flush=True)
                seen(line)
        print(f"$ echo $?\n{process.returncode}\n", flush=True)
        if process.returncode != wanted:
            sys.exit(f"expected {wanted}")

    def healthy(self):
        print(f"# Both versions fail for {FAILING} % of {RATE} requests/s.\n", flush=True)
        self.run("plan", "rollout.yaml", "--rps", str(RATE), "--errors", FAILING)
        self.start("rollout.yaml", 0)
        self.run("replay", "rollout.yaml.log")

    def broken(self):
        print(f"# Once more; as soon as 25 % have the canary, {BROKEN} % of its requests fail.\n", flush=True)
        self.demo.write("policy.yaml", self.policy)
        self.write("again.yaml")

        def seen(line):
            if re.search(r"\b25 %  hold: the step's time", line):
                self.fail("checkout-v2", BROKEN)

        self.start("again.yaml", 1, seen)
        self.run("status", "again.yaml", "--last", "4", fine=(1,))
        print("$ grep weight: policy.yaml")
        with open(f"{self.folder}/policy.yaml", encoding="utf-8") as file:
            print("".join(line for line in file if "weight:" in line), end="", flush=True)


def main(root, kept=None):
    with tempfile.TemporaryDirectory() as folder:
        if kept:
            os.makedirs(kept, exist_ok=True)
            folder = os.path.abspath(kept)
        try:
            scene = Scene(root, folder)
            scene.healthy()
            scene.broken()
        finally:
            Demo.end()


if __name__ == "__main__":
    main(*sys.argv[1:])
