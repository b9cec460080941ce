/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* From a definition to what the core builds. */

#include "core/machine/machine.h"
#include "model/bundle.h"

typedef struct {
    MachineConfig config;    /* its strings live in @strings */
    GPtrArray *strings;      /* owned */
    GPtrArray *temporary;    /* owned paths: disposable overlays, to unlink once opened */
    const char *cpu_backend; /* "software", "kvm" */
    char *cpu_reason;        /* owned */
} EngineConfig;

/* False and @error, naming the definition's file and key, when this build or this host cannot. With
 * @disposable, disks get overlays that vanish. */
bool engine_config_init(EngineConfig *out, const char *bundle, const Definition *definition,
                        bool disposable, GError **error);
void engine_config_clear(EngineConfig *config);
