# Makes the root file system of a node: the trees $LOWER and the programs of $PROGRAMS
# above what the machine has, and everything that is written in memory. $SYS holds
# options of /sys: networkd and NetworkManager do not wait for udevd where it is
# read-only.
stage=/run/stage
mkdir -p $stage
mount --make-rprivate /
mount -t tmpfs -o mode=0755 tmpfs $stage
mkdir -p $stage/work $stage/root $stage/upper/opt/cni/bin
for program in $PROGRAMS; do cp "$program" $stage/upper/opt/cni/bin/; done
mount -t overlay -o lowerdir=$LOWER:/,upperdir=$stage/upper,workdir=$stage/work overlay $stage/root
cd $stage/root
mount -t proc proc proc
mount -t sysfs -o "$SYS" sysfs sys
mount -t tmpfs -o mode=0755 tmpfs dev
for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
	set -- $node
	mknod -m 0666 dev/$1 c $2 $3
done
ln -s /proc/self/fd dev/fd
for dir in run etc/systemd/network etc/systemd/networkd.conf.d etc/sysctl.d etc/modules-load.d etc/cni var/lib/cni; do
	mkdir -p $dir
	mount -t tmpfs -o mode=0755 tmpfs $dir
done
rm -rf etc/NetworkManager/conf.d etc/NetworkManager/system-connections etc/udev/rules.d
mkdir -p etc/NetworkManager/conf.d etc/NetworkManager/system-connections etc/udev/rules.d var/lib/NetworkManager
echo 3d1219c7c4c5404aaa1f6d2a48adfda4 >etc/machine-id
for user in messagebus systemd-network; do
	grep -q "^$user:" etc/passwd || echo "$user:x:499:499::/:/bin/false" >>etc/passwd
	grep -q "^$user:" etc/group || echo "$user:x:499:" >>etc/group
done
mkdir old
pivot_root . old
cd /
umount -l /old

# What systemd would have made: it booted the node, as far as programs can see.
mkdir -p /run/systemd/system /run/systemd/units
mkdir -p /run/netns /run/lock /run/dbus /run/udev /run/NetworkManager /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
chown -R systemd-network: /run/systemd/netif
ip link set lo up
dbus-daemon --system --fork --nopidfile
echo ready
exec sleep infinity
