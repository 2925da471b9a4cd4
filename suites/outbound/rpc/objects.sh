# The objects of the daemon that clients work on: "sh objects.sh reset KIND" makes one
# anew, "sh objects.sh dump KIND" prints what there is of it, without what differs from
# one time to the next. $here has the files.
here=$(dirname "$0")
images=/var/lib/libvirt/rpc
v() { virsh -q -c qemu:///system "$@"; }

# disks makes the images anew: a command may have written them.
disks() {
	mkdir -p $images && rm -f $images/*.*
	truncate -s 1M $images/disk.img $images/more.img
}

reset_host() { :; }
dump_host() { :; }

reset_off() {
	for name in off renamed; do
		v "managedsave-remove $name; destroy $name; undefine $name --nvram"
	done
	disks
	v define $here/off
}
dump_off() {
	v "list --all --name --managed-save; dumpxml off --inactive --security-info; dominfo off; dumpxml renamed" | sed '/^Messages/d; /^on$/d'
}

reset_on() {
	v "destroy on; managedsave-remove on; checkpoint-delete on c1 --metadata; undefine on"
	disks
	v create $here/on --paused
}
dump_on() {
	v "list --name; dumpxml on; domstate on --reason; checkpoint-list on --name; domjobinfo on" |
		sed "s/ id='[0-9]*'//; s,/dev/pts/[0-9]*,PTY,; s/vnet[0-9]*/VNET/; s/domain-[0-9]*-/domain-/; s,/channel/[0-9]*-,/channel/,; s/ index='[0-9]*'//; s/ port='[0-9]*'//; s/portid='[^']*'//"
	ls $images | sed '/^pool$/d; s/\.[0-9]\{8,\}$/.TIME/'
}

reset_net() {
	v "net-destroy net; net-undefine net; net-define $here/net; net-start net"
}
dump_net() {
	v "net-list --all --name; net-dumpxml net; net-dumpxml net --inactive; net-info net" | sed "s/ connections='[0-9]*'//"
}

reset_pool() {
	for name in pool defined; do
		v "pool-destroy $name; pool-undefine $name"
	done
	disks
	rm -rf $images/pool
	v "pool-define $here/pool; pool-build pool; pool-start pool; vol-create-as pool vol.img 1M"
}
dump_pool() {
	v "pool-list --all --name; pool-dumpxml pool; pool-info pool; vol-list pool" | grep -vE 'allocation|available|Allocation|Available|capacity|Capacity'
	for f in $images/pool/*; do
		[ -f "$f" ] && stat -c '%n %s %a' "$f" && head -c 16 "$f" | cksum
	done
	cksum $images/pool/vol.img
}

secret=76697274-6d61-4472-8978-00000000cafe
reset_secret() {
	v "secret-undefine $secret; secret-define $here/secret; secret-set-value $secret b2xk"
}
dump_secret() { v "secret-list; secret-dumpxml $secret; secret-get-value $secret"; }

reset_filter() { v "nwfilter-undefine rpc-filter; nwfilter-define $here/filter"; }
dump_filter() { v "nwfilter-list; nwfilter-dumpxml rpc-filter"; }

# What a reset or a dump does not find is no fault, and words of two streams come in any order.
$1_$2 2>/dev/null
exit 0
