# Makes a node of the process that runs it, which is in namespaces of its own and their
# process 1: its control groups first, and then its root file system, which is the
# machine's with everything that is written in memory or below $DISK.
# $NAME is the node's, $CGROUP the name of its control group, $PROGRAMS the plugins.
mount --make-rprivate /
if [ -z "${INSIDE:-}" ]; then
	for hierarchy in /sys/fs/cgroup/*/; do
		[ -e "$hierarchy/tasks" ] || continue # not of version 1
		mkdir -p "$hierarchy$CGROUP"
		for file in cpuset.cpus cpuset.mems; do # a new group of version 1 has none, and takes no process then
			[ -e "$hierarchy/$file" ] || continue
			cat "$hierarchy/$file" >"$hierarchy/${CGROUP%/*}/$file"
			cat "$hierarchy/$file" >"$hierarchy/$CGROUP/$file"
		done
		# The group of all nodes counts as one process, and is dozens.
		[ ! -e "$hierarchy/cpu.shares" ] || echo "${SHARES:-4096}" >"$hierarchy/${CGROUP%/*}/cpu.shares"
		echo 0 >"$hierarchy$CGROUP/cgroup.procs"
	done
	[ -e "/sys/fs/cgroup/memory/$CGROUP" ] || { echo "this needs control groups of version 1" >&2; exit 1; }
	INSIDE=1 exec unshare --cgroup sh -euc "$SCRIPT"
fi

stage=/run/stage
mkdir -p $stage
mount -t tmpfs -o mode=0755 tmpfs $stage
mkdir -p $stage/work $stage/root $stage/upper
mount -t overlay -o lowerdir=/,upperdir=$stage/upper,workdir=$stage/work overlay $stage/root
cd $stage/root
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=0755 tmpfs sys/fs/cgroup
for hierarchy in /sys/fs/cgroup/*/; do
	[ -e "$hierarchy/tasks" ] || continue
	name=$(basename "$hierarchy")
	mkdir "sys/fs/cgroup/$name"
	case $name in
	systemd) options=none,name=systemd ;;
	*) options=$name ;;
	esac
	mount -t cgroup -o $options cgroup "sys/fs/cgroup/$name"
done
mount --rbind /dev dev
mount -t tmpfs -o mode=0755 tmpfs run
mkdir -p run/netns run/lock
rm -rf etc/cni opt/cni etc/containerd etc/crio etc/containers var/lib/cni var/lib/cni-guard var/lib/containerd var/lib/containers var/lib/kubelet
mkdir -p etc/cni/net.d opt/cni/bin var/lib/cni var/lib/containerd var/lib/containers var/lib/kubelet
for dir in containerd containers kubelet; do
	mkdir -p "$DISK/$dir"
	mount --bind "$DISK/$dir" var/lib/$dir
done
for program in $PROGRAMS; do cp "$program" opt/cni/bin/; done
echo "$MACHINE_ID" >etc/machine-id
# kubelet sets sysctls that belong to the whole machine. It is shown the values that it
# wants: without them it ends, and the others cannot be written.
for dir in vm kernel; do
	mount --bind proc/sys/$dir proc/sys/$dir
	mount -o remount,bind,ro proc/sys/$dir
done
mkdir run/sysctl
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
	file=${setting%=*}
	[ -e "proc/sys/$file" ] || continue
	echo "${setting#*=}" >"run/sysctl/$(basename "$file")"
	mount --bind "run/sysctl/$(basename "$file")" "proc/sys/$file"
done
mkdir old
pivot_root . old
cd /
umount -l /old
rmdir /old
# As on a machine: mounts of the node show up in containers that ask for that.
mount --make-rshared /
hostname "$NAME"
ip link set lo up
echo ready
exec sh -c 'trap "" TERM INT; while :; do sleep 3600 & wait $!; done'
