# Asks dnf's own library. It reads a request on standard input and answers on standard
# output, both JSON: dnf's command says neither the digests of packages nor, by its exit
# code, whether something went wrong.
import functools
import hashlib
import json
import logging
import os
import sys

import dnf
import dnf.exceptions
import dnf.module.module_base
import hawkey

request = json.load(sys.stdin)

# What dnf says of each mirror that did not do; the exception says only that none did.
said = []


class Listener(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())


logging.getLogger("dnf").addHandler(Listener(logging.WARNING))


def base():
    b = dnf.Base()
    b.conf.read(request["config"])
    b.conf.substitutions.clear()
    b.conf.substitutions.update(request["variables"])
    b.read_all_repos()
    b.fill_sack(load_system_repo=False)
    if request["modules"]:
        dnf.module.module_base.ModuleBase(b).enable(request["modules"])
    return b


# keep_oldest leaves the oldest build of the source packages of what matches.
def keep_oldest(b):
    available = b.sack.query().available().run()
    matched = set(b.sack.query().available().filterm(name__glob=request["oldest"]))
    for name in {source(p) for p in matched}:
        builds = [p for p in available if source(p) == name]
        oldest = min((p for p in builds if p in matched), key=functools.cmp_to_key(lambda p, o: p.evr_cmp(o))).sourcerpm
        b.sack.add_excludes([p for p in builds if p.sourcerpm != oldest])
        gone = {p.name for p in builds} - {p.name for p in builds if p.sourcerpm == oldest}
        request["names"] = [n for n in request["names"] if n not in gone]


def describe(p):
    kind, digest = p.chksum or (0, b"")
    return {
        "name": p.name, "version": p.evr, "arch": p.arch, "repository": p.repoid,
        "size": p.downloadsize, "address": p.remote_location() or "",
        "sha256": digest.hex() if hawkey.chksum_name(kind) == "sha256" else "", "source": source(p),
    }


# indexes name what each repository's index was, so that an older one can be told.
def indexes(b):
    found = {}
    for r in b.repos.iter_enabled():
        with open(os.path.join(r._repo.getCachedir(), "repodata", "repomd.xml"), "rb") as f:
            found[r.id] = {"revision": r._repo.getRevision(), "sha256": hashlib.sha256(f.read()).hexdigest()}
    return found


def load(b):
    return {"indexes": indexes(b)}


# solve asks for packages, those of the candidate for themselves.
def solve(b, own):
    for name in request["names"]:
        b.install(name)
    for p in b.sack.query().filterm(reponame=request["candidate"] or "none", name=list(own)):
        b.package_install(p)
    b.resolve()
    return [p for p in b.transaction.install_set]


def resolve(b):
    if request["oldest"]:
        keep_oldest(b)
    chosen, asked = solve(b, set()), set()
    own = {p.name for p in b.sack.query().filterm(reponame=request["candidate"] or "none")}
    # The solver takes the best of what is asked for, and of what that needs whatever fits,
    # without a word.
    while left_out := {p.name for p in chosen if p.name in own and p.repoid != request["candidate"]} - asked:
        asked |= left_out
        b = base()
        chosen = solve(b, asked)
    return {"packages": [describe(p) for p in b.transaction.install_set], "indexes": indexes(b)}


def belonging(b):
    latest = b.sack.query().available().latest().run()
    sources = {source(p) for p in b.sack.query().available().filterm(name__glob=request["names"]).latest()}
    return {"packages": [describe(p) for p in latest if source(p) in sources]}


# smallest are the smallest package of each repository.
def smallest(b):
    of = {r.id: b.sack.query().filterm(reponame=r.id).run() for r in b.repos.iter_enabled()}
    return {"packages": [describe(min(p, key=lambda p: (p.downloadsize, p.name))) for p in of.values() if p], "indexes": indexes(b)}


# find tells where packages of these names are, in all their versions.
def find(b):
    return {"packages": [describe(p) for p in b.sack.query().filterm(name=request["names"])]}


# published tells which of these are the build IDs of symbols, or source packages.
def published(b):
    wanted = set(request["names"])
    found = {f"{p.name}-{p.version}-{p.release}.src.rpm" for p in b.sack.query().filterm(arch=["src", "nosrc"])}
    for p in b.sack.query().filterm(provides__glob="debuginfo(build-id)*"):
        found |= {str(r).split(" = ")[-1] for r in p.provides if str(r).startswith("debuginfo(build-id) = ")}
    return {"names": sorted(wanted & found)}


# enabled reads the files of repositories below a root as dnf does that is installed there.
def enabled(b):
    root = request["names"][0]
    there = dnf.Base()
    there.conf.reposdir = [os.path.join(root, "etc/yum.repos.d")]
    there.conf.substitutions.clear()
    there.conf.substitutions.update(request["variables"])
    there.conf.substitutions.update_from_etc(root, ["/etc/yum/vars", "/etc/dnf/vars"])
    there.read_all_repos()
    if said:
        return {"trouble": "other", "text": "\n".join(said)}
    return {"enabled": [{
        "id": r.id, "file": os.path.basename(r.repofile), "on": r.enabled, "verified": bool(r.gpgcheck or r.repo_gpgcheck), "keys": list(r.gpgkey),
        "at": [a for a in [*r.baseurl, r.mirrorlist, r.metalink] if a],
    } for r in there.repos.all()]}


def names(b):
    # Also those that modular streams hide.
    return {"names": sorted({p.name for p in b.sack.query(flags=hawkey.IGNORE_MODULAR_EXCLUDES)})}


def source(p):
    return p.source_name or p.name


def record(p):
    return {"package": p.name, "version": p.evr, "source": source(p)} | {
        field: [str(r) for r in getattr(p, field)] for field in ("provides", "requires", "conflicts")}


def records(b):
    latest = b.sack.query().available().latest().run()
    matched = set(b.sack.query().available().filterm(name__glob=request["names"]).latest().run())
    sources = {source(p) for p in matched}
    needed = {str(r).split(" ")[0] for p in matched for r in p.requires}
    needs = [p for p in latest if source(p) in sources and (p.name in needed or any(str(r).split(" ")[0] in needed for r in p.provides))]
    return {"records": [record(p) for p in sorted(matched | set(needs), key=lambda p: p.name)]}


def answer():
    try:
        return {"load": load, "resolve": resolve, "find": find, "names": names, "records": records, "belonging": belonging,
                "published": published, "smallest": smallest, "enabled": enabled}[request["ask"]](base())
    except dnf.exceptions.MarkingError as e:
        return {"trouble": "name", "name": e.pkg_spec or "", "text": str(e)}
    except dnf.exceptions.MarkingErrors as e:
        return {"trouble": "module", "text": str(e)}
    except dnf.exceptions.DepsolveError as e:
        return {"trouble": "unsatisfiable", "text": str(e)}
    except dnf.exceptions.RepoError as e:
        return {"trouble": "repository", "text": "\n".join([str(e)] + said)}
    except dnf.exceptions.Error as e:
        return {"trouble": "other", "text": "\n".join([str(e)] + said)}


json.dump(answer(), sys.stdout)
