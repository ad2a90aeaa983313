#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in a Debian root file system that has a kernel, as /guest/build.sh: makes /guest/disk.img, which boots by BIOS.
# The system lives in memory; the disk has it on a FAT partition, and a second one, `state`, for what it keeps.
set -eu
cd /guest
kernel=$(ls /lib/modules)
root=/guest/root
mkdir -p $root/bin $root/lib/modules $root/proc $root/sys $root/dev $root/state $root/seed $root/etc/acpi/PWRF \
    $root/run $root/tmp $root/www/cgi-bin
cp /bin/busybox $root/bin/
cp init dhcp $root/
cp power-off $root/etc/acpi/PWRF/00000080
cp info run $root/www/cgi-bin/
chmod 755 $root/init $root/dhcp $root/etc/acpi/PWRF/00000080 $root/www/cgi-bin/*

for module in virtio_pci virtio_blk virtio_scsi virtio_net virtio_balloon virtio_rng virtio_mem sd_mod ahci sr_mod ext4 isofs \
    button evdev; do
    modprobe --set-version "$kernel" --show-depends $module 2>/dev/null || true
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
    cp "$file" $root/lib/modules/
    basename "$file" >>$root/lib/modules/order
done
(cd $root && find . | cpio --quiet -o -H newc) | gzip -1 >initrd.gz

truncate -s 24M boot.img
mkfs.vfat -n BOOT boot.img >/dev/null
mcopy -i boot.img "/boot/vmlinuz-$kernel" ::/vmlinuz
mcopy -i boot.img initrd.gz syslinux.cfg ::/
syslinux --install boot.img
truncate -s 14M state.img
mkfs.ext4 -q -L state state.img

truncate -s 40M disk.img
printf 'label: dos\nstart=2048, size=49152, type=c, bootable\nstart=51200, size=28672, type=83\n' | sfdisk --quiet disk.img
dd if=/usr/lib/syslinux/mbr/mbr.bin of=disk.img bs=440 count=1 conv=notrunc status=none
dd if=boot.img of=disk.img bs=1M seek=1 conv=notrunc status=none
dd if=state.img of=disk.img bs=1M seek=25 conv=notrunc status=none
