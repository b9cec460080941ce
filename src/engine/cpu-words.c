/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/cpu-words.h"
#include <errno.h>
#include <glib/gi18n.h>

const char *cpu_words_reason_name(const CpuDecision *decision)
{
    static const char *const names[] = {
        [CPU_REASON_SET] = "set",
        [CPU_REASON_FASTER] = "faster",
        [CPU_REASON_SLOW] = "slow",
        [CPU_REASON_DETERMINISTIC] = "deterministic",
    };
    static const char *const troubles[KVM_TROUBLE_N_KINDS] = {
        [KVM_TROUBLE_NO_HARDWARE] = "no-hardware",
        [KVM_TROUBLE_NOT_NESTED] = "not-nested",
        [KVM_TROUBLE_FIRMWARE_OFF] = "firmware-off",
        [KVM_TROUBLE_NO_MODULE] = "no-module",
        [KVM_TROUBLE_NO_NODE] = "no-node",
        [KVM_TROUBLE_NO_PERMISSION] = "no-permission",
        [KVM_TROUBLE_FORBIDDEN] = "forbidden",
        [KVM_TROUBLE_NOT_KVM] = "not-kvm",
        [KVM_TROUBLE_OLD_API] = "old-api",
        [KVM_TROUBLE_MISSING] = "missing",
        [KVM_TROUBLE_HELD] = "held",
        [KVM_TROUBLE_FAILED] = "failed",
        [KVM_TROUBLE_STOPS] = "stops",
        [KVM_TROUBLE_WRONG] = "wrong",
        [KVM_TROUBLE_HANGS] = "hangs",
    };
    return decision->reason == CPU_REASON_TROUBLE ? troubles[decision->probe.trouble.kind]
                                                  : names[decision->reason];
}

/* --- What is wrong with KVM --- */

static const char *technology(const KvmTrouble *trouble)
{
    return trouble->is_amd ? "AMD-V" : "VT-x";
}

static const char *holder(const KvmTrouble *trouble)
{
    return g_strcmp0(trouble->what, "vboxdrv") == 0 ? "VirtualBox"
           : g_strcmp0(trouble->what, "vmmon") == 0 ? "VMware"
                                                    : NULL;
}

static char *dup_permission(const KvmTrouble *trouble)
{
    if (trouble->group_listed)
        return g_strdup_printf(_("/dev/kvm is closed to this session: it began before your user "
                                 "was put into the group “%s”."),
                               trouble->group);
    if (trouble->group[0])
        return g_strdup_printf(_("/dev/kvm is closed to you: your user is not in the group “%s”."),
                               trouble->group);
    return g_strdup(_("/dev/kvm is closed to you: only the administrator may open it."));
}

static char *dup_failure(const KvmTrouble *trouble)
{
    if (trouble->message[0])
        return g_strdup_printf(_("KVM did not start the machine (%s)."), trouble->message);
    return trouble->what && trouble->error
               ? g_strdup_printf(_("KVM does not work here: %s failed (%s)."), trouble->what,
                                 g_strerror(trouble->error))
               : g_strdup(_("KVM does not work here."));
}

static char *dup_trouble(const KvmTrouble *trouble)
{
    switch (trouble->kind) {
    case KVM_TROUBLE_NO_HARDWARE:
        return g_strdup(_("This computer's processor has no hardware virtualisation (VT-x or "
                          "AMD-V)."));
    case KVM_TROUBLE_NOT_NESTED:
        return g_strdup(_("This computer is itself a virtual machine, and is given no hardware "
                          "virtualisation."));
    case KVM_TROUBLE_FIRMWARE_OFF:
        return g_strdup_printf(
            _("Hardware virtualisation (%s) is switched off in this computer's firmware."),
            technology(trouble));
    case KVM_TROUBLE_NO_MODULE:
        return g_strdup(_("There is no /dev/kvm: the kernel's KVM module is not loaded."));
    case KVM_TROUBLE_NO_NODE:
        return g_strdup(_("The kernel has KVM, but there is no /dev/kvm here, as in a container or "
                          "a sandbox."));
    case KVM_TROUBLE_NO_PERMISSION: return dup_permission(trouble);
    case KVM_TROUBLE_FORBIDDEN:
        return g_strdup(_("This container or sandbox forbids the use of /dev/kvm."));
    case KVM_TROUBLE_NOT_KVM: return g_strdup(_("What lies at /dev/kvm is not the kernel's KVM."));
    case KVM_TROUBLE_OLD_API:
        return g_strdup_printf(_("This kernel's KVM has version %d of its interface; Vitrine needs "
                                 "version 12."),
                               trouble->version);
    case KVM_TROUBLE_MISSING:
        return g_strdup_printf(_("This kernel's KVM lacks what Vitrine needs: %s."), trouble->what);
    case KVM_TROUBLE_HELD:
        return holder(trouble)
                   ? g_strdup_printf(_("%s holds the processor's virtualisation, so KVM cannot "
                                       "have it."),
                                     holder(trouble))
                   : g_strdup(_("Another program holds the processor's virtualisation, so KVM "
                                "cannot have it."));
    case KVM_TROUBLE_STOPS:
        return g_strdup_printf(_("This computer's KVM gives up in %s mode (exit %d)."),
                               trouble->what, trouble->version);
    case KVM_TROUBLE_WRONG:
        return g_strdup_printf(_("This computer's KVM computes wrongly in %s mode."),
                               trouble->what);
    case KVM_TROUBLE_HANGS:
        return g_strdup_printf(_("This computer's KVM hangs in %s mode."), trouble->what);
    case KVM_TROUBLE_NONE:
    case KVM_TROUBLE_FAILED:
    case KVM_TROUBLE_N_KINDS: break;
    }
    return dup_failure(trouble);
}

/* --- What to do about it --- */

static char *dup_permission_remedy(const KvmTrouble *trouble)
{
    if (trouble->group_listed)
        return g_strdup(_("Log out, and log in again."));
    if (trouble->group[0])
        return g_strdup_printf(_("Run “sudo usermod -aG %s $USER”, and log in again."),
                               trouble->group);
    return g_strdup(_("Run “sudo chgrp kvm /dev/kvm; sudo chmod 660 /dev/kvm; sudo usermod -aG "
                      "kvm $USER”, and log in again."));
}

static char *dup_held_remedy(const KvmTrouble *trouble)
{
    return holder(trouble) ? g_strdup_printf(_("Shut down the machines of %s; if that is not "
                                               "enough, run “sudo modprobe -r %s”."),
                                             holder(trouble), trouble->what)
                           : g_strdup(_("Shut down the virtual machines of other programs."));
}

static char *dup_trouble_remedy(const KvmTrouble *trouble)
{
    switch (trouble->kind) {
    case KVM_TROUBLE_NOT_NESTED:
        return g_strdup(_("Switch on nested virtualisation for it where it runs."));
    case KVM_TROUBLE_FIRMWARE_OFF:
        return g_strdup_printf(
            _("Restart the computer, enter its BIOS or UEFI setup, and switch on %s."),
            trouble->is_amd ? "SVM (AMD-V)" : "Intel Virtualization Technology (VT-x)");
    case KVM_TROUBLE_NO_MODULE:
        return g_strdup_printf(_("Run “sudo modprobe %s”. If it is refused, switch on %s in the "
                                 "BIOS or UEFI setup."),
                               trouble->is_amd ? "kvm_amd" : "kvm_intel", technology(trouble));
    case KVM_TROUBLE_NO_NODE:
    case KVM_TROUBLE_FORBIDDEN:
        return g_strdup(_("Let the device in: “--device=/dev/kvm” for Docker and Podman, "
                          "“--device=kvm” for Flatpak."));
    case KVM_TROUBLE_NO_PERMISSION: return dup_permission_remedy(trouble);
    case KVM_TROUBLE_NOT_KVM:
        return g_strdup(_("Run “sudo rm -r /dev/kvm”, and restart the computer."));
    case KVM_TROUBLE_OLD_API:
    case KVM_TROUBLE_MISSING: return g_strdup(_("Update the kernel: Linux 4.12 has all of it."));
    case KVM_TROUBLE_HELD: return dup_held_remedy(trouble);
    case KVM_TROUBLE_FAILED:
        return g_strdup(trouble->error == ENOMEM
                            ? _("Close other programs and machines: there is no memory for it.")
                            : _("Run “sudo dmesg | grep -i kvm”: the kernel may say why."));
    case KVM_TROUBLE_STOPS:
    case KVM_TROUBLE_WRONG:
    case KVM_TROUBLE_HANGS:
        return g_strdup(_("Update the kernel, and whatever this computer itself runs in."));
    case KVM_TROUBLE_NO_HARDWARE:
    case KVM_TROUBLE_NONE:
    case KVM_TROUBLE_N_KINDS: break;
    }
    return NULL;
}

/* --- The decision --- */

static char *dup_rate(double mips)
{
    return g_strdup_printf(mips < 10 ? "%.1f" : "%.0f", mips);
}

static char *dup_slow(const CpuDecision *decision)
{
    g_autofree char *kvm = dup_rate(decision->probe.kvm_mips);
    g_autofree char *software = dup_rate(decision->probe.software_mips);
    bool is_used = decision->ops != &cpu_soft_ops;
    return g_strdup_printf(
        is_used ? _("This machine is set to run on KVM, which is slower here than Vitrine's "
                    "software CPU: %s against %s million instructions per second.")
                : _("This computer's KVM works, but is slower: %s against %s million instructions "
                    "per second."),
        kvm, software);
}

char *cpu_words_dup_reason(const CpuDecision *decision)
{
    switch (decision->reason) {
    case CPU_REASON_SET:
        return g_strdup(decision->ops == &cpu_soft_ops
                            ? _("This machine is set to run on Vitrine's software CPU.")
                            : _("This machine is set to run on KVM."));
    case CPU_REASON_FASTER:
        return g_strdup(_("This computer's processor runs machines itself, through KVM."));
    case CPU_REASON_DETERMINISTIC:
        return g_strdup(_("A machine with the deterministic clock runs on Vitrine's software "
                          "CPU."));
    case CPU_REASON_SLOW: return dup_slow(decision);
    case CPU_REASON_TROUBLE: break;
    }
    return dup_trouble(&decision->probe.trouble);
}

char *cpu_words_dup_remedy(const CpuDecision *decision)
{
    if (decision->reason == CPU_REASON_TROUBLE)
        return dup_trouble_remedy(&decision->probe.trouble);
    if (decision->reason != CPU_REASON_SLOW)
        return NULL;
    return g_strdup(decision->ops == &cpu_soft_ops
                        ? _("Where this computer is itself a virtual machine, nested "
                            "virtualisation makes KVM fast.")
                        : _("Set its CPU to “auto”."));
}

char *cpu_words_dup(const CpuDecision *decision)
{
    g_autofree char *reason = cpu_words_dup_reason(decision);
    g_autofree char *remedy = cpu_words_dup_remedy(decision);
    return remedy ? g_strconcat(reason, " ", remedy, NULL) : g_steal_pointer(&reason);
}
