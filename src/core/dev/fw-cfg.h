/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#pragma once

/* The firmware configuration device (QEMU docs/specs/fw_cfg): numbered items and named files that
 * firmware reads through ports 510h/511h or by DMA through 514h-51Bh. Included by the board, which
 * fills it before the machine starts. */

#include "core/dev/device.h"
#include "core/memory/address-space.h"

typedef struct FwCfg FwCfg;

enum {
    FW_CFG_SIGNATURE = 0x00,
    FW_CFG_ID = 0x01,
    FW_CFG_UUID = 0x02,
    FW_CFG_RAM_SIZE = 0x03,
    FW_CFG_NO_GRAPHIC = 0x04,
    FW_CFG_N_CPUS = 0x05,
    FW_CFG_NUMA = 0x0D,
    FW_CFG_BOOT_MENU = 0x0E,
    FW_CFG_MAX_CPUS = 0x0F,
    FW_CFG_FILE_DIRECTORY = 0x19,
    FW_CFG_FILE_FIRST = 0x20,
    FW_CFG_IRQ0_OVERRIDE = 0x8002,
};

Device *fw_cfg_new(AddressSpace *memory, AddressSpace *ports);
void fw_cfg_add_item(FwCfg *fw_cfg, uint16_t key, const void *bytes, size_t length);
void fw_cfg_add_number(FwCfg *fw_cfg, uint16_t key, uint64_t value, unsigned size);
/* @name at most 55 characters. Replaces a file of this name. Takes @bytes. */
void fw_cfg_add_file(FwCfg *fw_cfg, const char *name, GBytes *bytes);
/* A file whose contents depend on what firmware does before it asks: @build gives them anew each
 * time that the file is selected, with the board lock held. The directory promises @size bytes;
 * shorter contents are filled up with zeros. */
void fw_cfg_add_lazy_file(FwCfg *fw_cfg, const char *name, size_t size,
                          GBytes *(*build)(void *opaque, const char *name), void *opaque);
