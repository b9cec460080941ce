/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/probe-cache.h"
#include <glib.h>
#include <math.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#define GROUP "cpu-probe"
#define FORMAT 1 /* of the figures: another guest, another number */

/* All that a measurement depends on. NULL: the host does not say, so nothing is kept. */
static char *dup_identity(void)
{
    g_autofree char *boot = NULL;
    struct utsname kernel;
    struct stat node;
    if (!g_file_get_contents("/proc/sys/kernel/random/boot_id", &boot, NULL, NULL) ||
        uname(&kernel) < 0 || stat(KVM_DEVICE_PATH, &node) < 0)
        return NULL;
    g_strchomp(boot);
    return g_strdup_printf("%d %s %s %s %jx %jd.%09ld", FORMAT, boot, kernel.release,
                           kernel.version, (uintmax_t)node.st_rdev, (intmax_t)node.st_ctim.tv_sec,
                           node.st_ctim.tv_nsec);
}

static bool is_rate(double mips)
{
    return isfinite(mips) && mips > 0;
}

bool probe_cache_load(const char *path, CpuProbe *probe)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *identity = dup_identity();
    if (!identity || !g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, NULL))
        return false;
    g_autofree char *kept = g_key_file_get_string(file, GROUP, "identity", NULL);
    double kvm = g_key_file_get_double(file, GROUP, "kvm-mips", NULL);
    double software = g_key_file_get_double(file, GROUP, "software-mips", NULL);
    if (g_strcmp0(kept, identity) != 0 || !is_rate(kvm) || !is_rate(software))
        return false;
    probe->kvm_mips = kvm;
    probe->software_mips = software;
    probe->was_known = true;
    return true;
}

void probe_cache_save(const char *path, const CpuProbe *probe)
{
    g_autofree char *identity = dup_identity();
    if (!identity || !is_rate(probe->kvm_mips) || !is_rate(probe->software_mips))
        return;
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_key_file_set_string(file, GROUP, "identity", identity);
    g_key_file_set_double(file, GROUP, "kvm-mips", probe->kvm_mips);
    g_key_file_set_double(file, GROUP, "software-mips", probe->software_mips);
    g_autofree char *text = g_key_file_to_data(file, NULL, NULL);
    g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL);
}
