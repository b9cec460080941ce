/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "engine/cpu-choice.h"
#include "base/fd.h"
#include "engine/cpu-words.h"
#include "model/bundle.h"
#include <glib/gstdio.h>
#include <unistd.h>

/* The version is in the name: another may run the guest of the probe at another speed. NULL: no
 * place that is ours alone. */
static char *dup_cache_path(void)
{
    g_autofree char *root = runtime_dup_root();
    return directory_make_private(root, NULL)
               ? g_build_filename(root, "cpu-probe-" VITRINE_VERSION, NULL)
               : NULL;
}

static CpuWish wish_of(const Definition *definition)
{
    static const CpuWish wishes[] = { [CPU_CHOICE_AUTO] = CPU_WISH_AUTO,
                                      [CPU_CHOICE_KVM] = CPU_WISH_KVM,
                                      [CPU_CHOICE_SOFTWARE] = CPU_WISH_SOFTWARE };
    return wishes[definition->cpu];
}

CpuDecision cpu_choice_make(const Definition *definition)
{
    CpuWish wish = wish_of(definition);
    bool deterministic = definition->clock == CLOCK_CHOICE_DETERMINISTIC;
    CpuProbe probe = { 0 };
    if (cpu_needs_probe(wish, deterministic)) {
        g_autofree char *cache = dup_cache_path();
        cpu_probe(cache, &probe);
    }
    return cpu_decide(wish, deterministic, &probe);
}

CpuDecision cpu_choice_make_again(const Definition *definition, const GError *failure)
{
    KvmTrouble trouble = { .kind = KVM_TROUBLE_NONE };
    int device = kvm_device_open(&trouble);
    int vm = device >= 0 ? kvm_device_create_vm(device, &trouble) : -1;
    if (vm >= 0)
        close(vm);
    if (device >= 0)
        close(device);
    if (trouble.kind == KVM_TROUBLE_NONE) {
        trouble.kind = KVM_TROUBLE_FAILED;
        g_strlcpy(trouble.message, failure->message, sizeof(trouble.message));
    }
    return cpu_decide_again(wish_of(definition), &trouble);
}

char *cpu_choice_dup_report(bool fresh)
{
    g_autofree char *cache = dup_cache_path();
    CpuProbe probe;
    if (fresh && cache)
        g_unlink(cache);
    cpu_probe(cache, &probe);
    CpuDecision decision = cpu_decide(CPU_WISH_AUTO, false, &probe);
    g_autofree char *reason = cpu_words_dup_reason(&decision);
    g_autofree char *remedy = cpu_words_dup_remedy(&decision);

    g_autoptr(GKeyFile) report = g_key_file_new();
    g_key_file_set_string(report, "cpu", "backend", decision.ops->name);
    g_key_file_set_string(report, "cpu", "reason", cpu_words_reason_name(&decision));
    g_key_file_set_string(report, "cpu", "words", reason);
    g_key_file_set_string(report, "cpu", "remedy", remedy ? remedy : "");
    g_key_file_set_double(report, "cpu", "kvm-mips", probe.kvm_mips);
    g_key_file_set_double(report, "cpu", "software-mips", probe.software_mips);
    return g_key_file_to_data(report, NULL, NULL);
}
