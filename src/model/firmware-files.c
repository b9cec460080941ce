/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "model/firmware-files.h"

#include <glib.h>

static bool is_file(const char *path)
{
    return g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

static const char *find(const char *const *paths)
{
    while (*paths && !is_file(*paths))
        paths++;
    return *paths;
}

const char *firmware_find_bios(void)
{
    static const char *const paths[] = {
        "/usr/share/seabios/bios-256k.bin",       "/usr/share/qemu/bios-256k.bin",
        "/usr/share/kvm/bios-256k.bin",           "/usr/local/share/qemu/bios-256k.bin",
        "/usr/local/share/seabios/bios-256k.bin", NULL
    };
    return find(paths);
}

const char *firmware_find_vga_bios(void)
{
    static const char *const paths[] = { "/usr/share/seabios/vgabios-stdvga.bin",
                                         "/usr/share/seavgabios/vgabios-stdvga.bin",
                                         "/usr/share/qemu/vgabios-stdvga.bin",
                                         "/usr/share/kvm/vgabios-stdvga.bin",
                                         "/usr/local/share/qemu/vgabios-stdvga.bin",
                                         "/usr/local/share/seabios/vgabios-stdvga.bin",
                                         NULL };
    return find(paths);
}

/* Plain images (no qcow2) of builds that need no system management mode. */
bool firmware_find_uefi(unsigned nth, UefiFiles *out_files)
{
    static const UefiFiles known[] = {
        /* Debian, Ubuntu */
        { "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd" },
        /* Arch */
        { "/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd" },
        { "/usr/share/edk2-ovmf/x64/OVMF_CODE.4m.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.4m.fd" },
        /* openSUSE */
        { "/usr/share/qemu/ovmf-x86_64-4m-code.bin", "/usr/share/qemu/ovmf-x86_64-4m-vars.bin" },
        /* QEMU's own builds */
        { "/usr/share/qemu/edk2-x86_64-code.fd", "/usr/share/qemu/edk2-i386-vars.fd" },
        { "/usr/local/share/qemu/edk2-x86_64-code.fd", "/usr/local/share/qemu/edk2-i386-vars.fd" },
        /* Fedora; and the older, smaller images of the others */
        { "/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd" },
        { "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd" },
        { "/usr/share/edk2/x64/OVMF_CODE.fd", "/usr/share/edk2/x64/OVMF_VARS.fd" },
        { "/usr/share/edk2-ovmf/x64/OVMF_CODE.fd", "/usr/share/edk2-ovmf/x64/OVMF_VARS.fd" },
        { "/usr/share/edk2-ovmf/OVMF_CODE.fd", "/usr/share/edk2-ovmf/OVMF_VARS.fd" },
        { "/usr/share/qemu/ovmf-x86_64-code.bin", "/usr/share/qemu/ovmf-x86_64-vars.bin" },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(known); i++)
        if (is_file(known[i].code) && is_file(known[i].variables) && nth-- == 0) {
            *out_files = known[i];
            return true;
        }
    return false;
}
