/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* From a definition to what the core builds. */

#include "core/machine/machine.h"
#include "model/bundle.h"

typedef struct {
    MachineConfig config; /* its strings live in @strings */
    GPtrArray *strings;   /* owned */
    GPtrArray *temporary; /* owned paths: disposable overlays, to unlink once opened */
    char *cpu_reason;     /* owned: why this CPU, in words */
} EngineConfig;

/* False and @error, naming the definition's file and key, when this build or this host cannot. With
 * @disposable, disks get overlays that vanish. */
bool engine_config_init(EngineConfig *out, const char *bundle, const Definition *definition,
                        bool disposable, GError **error);
/* The machine could not be made of @config because of @failure: chooses another CPU. False: there
 * is none, or the CPU was not to blame, and @failure has become what is to be told. */
bool engine_config_try_another_cpu(EngineConfig *config, const char *bundle,
                                   const Definition *definition, GError **failure);
void engine_config_clear(EngineConfig *config);
