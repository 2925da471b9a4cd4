# What the measured checks do in L1, and no more: a plain script of virsh calls.
# It ends at the first thing that is not as it must be, and prints when it began
# with what stands for each check.
set -e
cd /virtmatrix/plain
images=/var/lib/libvirt/images

v() { virsh -q -c qemu:///system "$@"; }
mark() { echo "mark $1 $(date +%s.%N)"; }
talk() { guest=$1; shift; perl talk.pl "$images/$guest.sock" "$@"; }
runs() { pgrep -f "[g]uest=$1," >/dev/null; }
refused() {
	if v "$@" >/dev/null 2>&1; then
		echo "not refused: virsh $*" >&2
		exit 1
	fi
}
ended() {
	if runs "$1"; then
		echo "$1 still runs" >&2
		exit 1
	fi
}
is() { test "$(v domstate --reason "$1")" = "$2"; }

mark O-CONN
v "hostname; version" >/dev/null
test "$(v uri)" = qemu:///system
v version | grep -q "Running hypervisor: QEMU"
hostname >/dev/null

mark O-CAPS
v capabilities >caps.xml
test -c /dev/kvm
for emulator in $(sed -n 's:.*<emulator>\(.*\)</emulator>.*:\1:p' caps.xml); do
	"$emulator" --version | grep -q "QEMU emulator version"
done
grep -q "<domain type='kvm'" caps.xml

mark O-DEF
v define define.xml >/dev/null
v "dominfo define; domstate define; list --all --name; domuuid define" >/dev/null
v domuuid define >/dev/null
v dumpxml --inactive define >defined.xml
sed -i 's:<title>first:<title>second:' defined.xml
v define defined.xml >/dev/null
v dumpxml --inactive define | grep -q "<title>second</title>"
v undefine define
# Each call in the list must be refused; the last one's status is the list's.
refused "list --all --name; domstate define; domuuid define; undefine define"

mark O-START
truncate -s 1M $images/start.img
v define start.xml >/dev/null
v start start >/dev/null
talk start hello
v "domstate start" | grep -q running
runs start
talk start hello write=word
test "$(head -c 4 $images/start.img)" = word
talk start read tick tick tick
v dominfo start >/dev/null
cat /proc/$(pgrep -f "[g]uest=start,")/attr/current >/dev/null 2>&1 || true
refused start start
v list --name | grep -q start
v destroy start >/dev/null
v undefine start
rm -f $images/start.*

mark O-DESTROY
v define destroy.xml >/dev/null
v start destroy >/dev/null
runs destroy
v destroy --graceful destroy >/dev/null
is destroy "shut off (destroyed)"
ended destroy
v start destroy >/dev/null
v destroy destroy >/dev/null
is destroy "shut off (destroyed)"
ended destroy
refused destroy destroy
v undefine destroy
rm -f $images/destroy.*

mark O-SAVE
truncate -s 16M $images/save.img
v define save.xml >/dev/null
v start save >/dev/null
talk save hello keep=word tick
v save save $images/save.save >/dev/null
is save "shut off (saved)"
ended save
test -s $images/save.save
v restore $images/save.save >/dev/null
v domstate save | grep -q running
talk save hello tick tick kept | grep -q '"text":"word"'
rm -f $images/save.save

mark end
