// SPDX-License-Identifier: Apache-2.0

// Package vm runs a program on a kernel of Debian's in a virtual machine that
// lasts as long as the program: for what the machine's own kernel lacks, such
// as ipip, and for what must hold on others too.
//
// qemu emulates the processor (tcg), so that neither KVM nor root is needed.
// The guest has no disk and no network. Its file system is an initramfs that is
// made for the run: the init of conformance/vm/init, kernel modules, the program
// and what it needs. It has four serial ports: the console for the kernel, one
// for what the program writes to standard output, one for standard error, and
// one for what init reports. So nothing that the kernel or the program prints
// can be taken for something else.
//
// A guest that has its own time counts instructions, each a nanosecond, where
// others look at the machine's clock. To wait costs it nothing, be it ten
// minutes: when all wait, the next timer is due. And nothing in it is late
// because the machine is slow or busy. It has one processor.
package vm
