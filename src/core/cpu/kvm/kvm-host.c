/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/cpu/kvm/kvm-host.h"
#include <cpuid.h>
#include <glib.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether @word stands in @text with blanks around it. */
static bool has_word(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += length)
        if ((at == text || g_ascii_isspace(at[-1])) &&
            (at[length] == '\0' || g_ascii_isspace(at[length])))
            return true;
    return false;
}

static bool file_has_word(const char *path, const char *word)
{
    g_autofree char *text = NULL;
    return g_file_get_contents(path, &text, NULL, NULL) && has_word(text, word);
}

static bool has_module(const char *name)
{
    g_autofree char *path = g_build_filename("/sys/module", name, NULL);
    return g_file_test(path, G_FILE_TEST_IS_DIR);
}

/* What the silicon says, whatever the kernel made of it: Linux hides the flag of what the firmware
 * switched off (Intel since 5.6, AMD since 6.7). SDM vol. 2A CPUID.1:ECX[5]; APM vol. 3
 * CPUID Fn8000_0001_ECX[2]. */
static bool silicon_has(bool is_amd)
{
    unsigned a, b, c = 0, d;
    if (is_amd)
        return __get_cpuid(0x80000001, &a, &b, &c, &d) && c & 1 << 2;
    return __get_cpuid(1, &a, &b, &c, &d) && c & 1 << 5;
}

void kvm_host_find_why_absent(KvmTrouble *trouble)
{
    g_autofree char *about = NULL;
    if (!g_file_get_contents("/proc/cpuinfo", &about, NULL, NULL))
        about = g_strdup("");
    trouble->is_amd = has_word(about, "AuthenticAMD") || has_word(about, "HygonGenuine");
    bool has_flag = has_word(about, trouble->is_amd ? "svm" : "vmx");
    bool is_loaded =
        file_has_word("/proc/misc", "kvm") || has_module(trouble->is_amd ? "kvm_amd" : "kvm_intel");
    if (is_loaded)
        trouble->kind = KVM_TROUBLE_NO_NODE;
    else if (has_flag)
        trouble->kind = KVM_TROUBLE_NO_MODULE;
    else if (silicon_has(trouble->is_amd))
        trouble->kind = KVM_TROUBLE_FIRMWARE_OFF;
    else
        trouble->kind =
            has_word(about, "hypervisor") ? KVM_TROUBLE_NOT_NESTED : KVM_TROUBLE_NO_HARDWARE;
}

/* Whether the group file has us in @group, which this process is not in. */
static bool is_listed(const struct group *group)
{
    struct passwd us, *found = NULL;
    char text[4096];
    if (getpwuid_r(getuid(), &us, text, sizeof(text), &found) != 0 || !found)
        return false;
    for (char **member = group->gr_mem; *member; member++)
        if (strcmp(*member, us.pw_name) == 0)
            return true;
    return us.pw_gid == group->gr_gid;
}

void kvm_host_find_permission(KvmTrouble *trouble)
{
    const mode_t open_to_group = S_IRGRP | S_IWGRP;
    struct stat about;
    struct group group, *found = NULL;
    char text[16384];

    trouble->kind = KVM_TROUBLE_NO_PERMISSION;
    if (stat(KVM_DEVICE_PATH, &about) < 0 || (about.st_mode & open_to_group) != open_to_group ||
        about.st_gid == 0)
        return;
    if (getgrgid_r(about.st_gid, &group, text, sizeof(text), &found) != 0 || !found)
        return;
    g_strlcpy(trouble->group, found->gr_name, sizeof(trouble->group));
    trouble->group_listed = is_listed(found);
}

void kvm_host_find_holder(KvmTrouble *trouble)
{
    static const char *const holders[] = { "vboxdrv", "vmmon" };
    for (unsigned i = 0; i < G_N_ELEMENTS(holders); i++)
        if (has_module(holders[i])) {
            trouble->what = holders[i];
            return;
        }
    trouble->what = NULL;
}
