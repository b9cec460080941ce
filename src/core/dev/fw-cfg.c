/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/fw-cfg.h"

#include "core/machine/machine.h"
#include "core/memory/dma.h"
#include <string.h>

/* Window offsets are port numbers less 510h. */
enum { FW_CFG_SELECTOR = 0x0, FW_CFG_DATA = 0x1, FW_CFG_DMA = 0x4, FW_CFG_DMA_END = 0xC };
enum {
    DMA_ERROR = 1 << 0,
    DMA_READ = 1 << 1,
    DMA_SKIP = 1 << 2,
    DMA_SELECT = 1 << 3,
    DMA_WRITE = 1 << 4,
};
#define FW_CFG_PORT 0x510
#define FW_CFG_WRITE_CHANNEL 0x4000 /* selector bit: obsolete writes, the same item */
#define FW_CFG_NAME_SIZE 56
#define FW_CFG_DIRECTORY_ENTRY 64

typedef struct {
    uint16_t key;
    char *name;   /* owned; NULL: an item without a name */
    GBytes *data; /* owned; NULL: built when selected */
    size_t size;
    GBytes *(*build)(void *opaque, const char *name);
    void *opaque;
} FwCfgEntry;

struct FwCfg {
    Device dev;
    /* wiring */
    AddressSpace *memory, *ports; /* borrowed */
    GPtrArray *items, *files;     /* owned; of owned FwCfgEntry; files sorted by name */
    GBytes *directory;            /* owned */
    /* guest state */
    uint16_t selector;
    uint32_t offset;
    uint64_t dma_address;
    /* cache: contents of what is selected; NULL: nothing, reads as zeros */
    GBytes *current;
    bool current_valid;
};

static const StateField fw_cfg_state[] = {
    STATE_UINT(FwCfg, selector),
    STATE_UINT(FwCfg, offset),
    STATE_UINT(FwCfg, dma_address),
    STATE_END,
};

static void entry_free(gpointer data)
{
    FwCfgEntry *entry = data;

    g_free(entry->name);
    g_clear_pointer(&entry->data, g_bytes_unref);
    g_free(entry);
}

/* Items. */

void fw_cfg_add_item(FwCfg *fw_cfg, uint16_t key, const void *bytes, size_t length)
{
    FwCfgEntry *entry = g_new0(FwCfgEntry, 1);

    entry->key = key;
    entry->data = g_bytes_new(bytes, length);
    g_ptr_array_add(fw_cfg->items, entry);
}

void fw_cfg_add_number(FwCfg *fw_cfg, uint16_t key, uint64_t value, unsigned size)
{
    uint64_t little_endian = GUINT64_TO_LE(value);

    fw_cfg_add_item(fw_cfg, key, &little_endian, size);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    const FwCfgEntry *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

/* Sorted by name, so that the same set of files has the same keys whatever the order they came. */
static void rebuild_directory(FwCfg *fw_cfg)
{
    g_autoptr(GByteArray) directory = g_byte_array_new();
    uint32_t n = GUINT32_TO_BE(fw_cfg->files->len);

    g_ptr_array_sort(fw_cfg->files, compare_names);
    g_byte_array_append(directory, (const uint8_t *)&n, 4);
    for (guint i = 0; i < fw_cfg->files->len; i++) {
        FwCfgEntry *file = g_ptr_array_index(fw_cfg->files, i);
        uint8_t record[FW_CFG_DIRECTORY_ENTRY] = { 0 };
        uint32_t size = GUINT32_TO_BE(file->size);
        file->key = FW_CFG_FILE_FIRST + i;
        uint16_t key = GUINT16_TO_BE(file->key);
        memcpy(record, &size, 4);
        memcpy(record + 4, &key, 2);
        memcpy(record + 8, file->name, strlen(file->name));
        g_byte_array_append(directory, record, sizeof record);
    }
    g_clear_pointer(&fw_cfg->directory, g_bytes_unref);
    fw_cfg->directory = g_bytes_new(directory->data, directory->len);
    fw_cfg->current_valid = false;
}

static void add_file(FwCfg *fw_cfg, FwCfgEntry *entry)
{
    g_assert(strlen(entry->name) < FW_CFG_NAME_SIZE);
    for (guint i = 0; i < fw_cfg->files->len; i++) {
        FwCfgEntry *other = g_ptr_array_index(fw_cfg->files, i);
        if (strcmp(other->name, entry->name) == 0) {
            g_ptr_array_remove_index(fw_cfg->files, i);
            break;
        }
    }
    g_ptr_array_add(fw_cfg->files, entry);
    rebuild_directory(fw_cfg);
}

void fw_cfg_add_file(FwCfg *fw_cfg, const char *name, GBytes *bytes)
{
    FwCfgEntry *entry = g_new0(FwCfgEntry, 1);

    entry->name = g_strdup(name);
    entry->data = bytes;
    entry->size = g_bytes_get_size(bytes);
    add_file(fw_cfg, entry);
}

void fw_cfg_add_lazy_file(FwCfg *fw_cfg, const char *name, size_t size,
                          GBytes *(*build)(void *opaque, const char *name), void *opaque)
{
    FwCfgEntry *entry = g_new0(FwCfgEntry, 1);

    entry->name = g_strdup(name);
    entry->size = size;
    entry->build = build;
    entry->opaque = opaque;
    add_file(fw_cfg, entry);
}

static GBytes *entry_contents(const FwCfgEntry *entry)
{
    return entry->data ? g_bytes_ref(entry->data) : entry->build(entry->opaque, entry->name);
}

static GBytes *find_contents(FwCfg *fw_cfg, uint16_t key)
{
    if (key == FW_CFG_FILE_DIRECTORY)
        return g_bytes_ref(fw_cfg->directory);
    if (key >= FW_CFG_FILE_FIRST && key - FW_CFG_FILE_FIRST < fw_cfg->files->len)
        return entry_contents(g_ptr_array_index(fw_cfg->files, key - FW_CFG_FILE_FIRST));
    for (guint i = 0; i < fw_cfg->items->len; i++) {
        const FwCfgEntry *item = g_ptr_array_index(fw_cfg->items, i);
        if (item->key == key)
            return entry_contents(item);
    }
    return NULL;
}

/* Reading. */

static void select_key(FwCfg *fw_cfg, uint16_t key)
{
    fw_cfg->selector = key;
    fw_cfg->offset = 0;
    fw_cfg->current_valid = false;
}

static const uint8_t *current_bytes(FwCfg *fw_cfg, size_t *out_length)
{
    if (!fw_cfg->current_valid) {
        g_clear_pointer(&fw_cfg->current, g_bytes_unref);
        fw_cfg->current = find_contents(fw_cfg, fw_cfg->selector & ~FW_CFG_WRITE_CHANNEL);
        fw_cfg->current_valid = true;
    }
    *out_length = 0;
    return fw_cfg->current ? g_bytes_get_data(fw_cfg->current, out_length) : NULL;
}

/* The offset stops at the end of what can be counted; past the item everything is zero anyway. */
static void skip(FwCfg *fw_cfg, uint32_t length)
{
    fw_cfg->offset += MIN(length, UINT32_MAX - fw_cfg->offset);
}

static uint8_t read_byte(FwCfg *fw_cfg)
{
    size_t length;
    const uint8_t *bytes = current_bytes(fw_cfg, &length);
    uint8_t value = fw_cfg->offset < length ? bytes[fw_cfg->offset] : 0;

    skip(fw_cfg, 1);
    return value;
}

/* Past the item's end the guest gets zeros. */
static bool dma_read_item(FwCfg *fw_cfg, uint64_t gpa, uint32_t length)
{
    static const uint8_t zeros[RAM_PAGE_SIZE];
    size_t size;
    const uint8_t *bytes = current_bytes(fw_cfg, &size);
    uint32_t n = fw_cfg->offset < size ? MIN(length, size - fw_cfg->offset) : 0;

    if (n > 0 && !dma_write(fw_cfg->memory, gpa, bytes + fw_cfg->offset, n))
        return false;
    for (uint64_t done = n; done < length; done += sizeof zeros)
        if (!dma_write(fw_cfg->memory, gpa + done, zeros, MIN(length - done, sizeof zeros)))
            return false;
    skip(fw_cfg, length);
    return true;
}

static void run_dma(FwCfg *fw_cfg)
{
    uint64_t descriptor = fw_cfg->dma_address;
    struct {
        uint32_t control, length;
        uint64_t address;
    } access;

    fw_cfg->dma_address = 0;
    if (!dma_read(fw_cfg->memory, descriptor, &access, sizeof access)) {
        guest_warn(&fw_cfg->dev, "DMA descriptor at %#" G_GINT64_MODIFIER "x is not in memory",
                   descriptor);
        return;
    }
    uint32_t control = GUINT32_FROM_BE(access.control);
    uint32_t length = GUINT32_FROM_BE(access.length);
    bool good = true;

    if (control & DMA_SELECT)
        select_key(fw_cfg, control >> 16);
    if (control & DMA_READ)
        good = dma_read_item(fw_cfg, GUINT64_FROM_BE(access.address), length);
    else if (control & DMA_WRITE)
        good = false; /* no item can be written */
    else if (control & DMA_SKIP)
        skip(fw_cfg, length);
    uint32_t result = GUINT32_TO_BE(good ? 0 : DMA_ERROR);
    dma_write(fw_cfg->memory, descriptor, &result, sizeof result);
}

static uint64_t fw_cfg_read(Device *dev, uint64_t offset, unsigned size)
{
    static const char signature[] = "QEMU CFG";
    FwCfg *fw_cfg = (FwCfg *)dev;
    uint64_t value = 0;

    if (offset == FW_CFG_DATA)
        return read_byte(fw_cfg);
    for (unsigned i = 0; i < size; i++)
        if (offset + i >= FW_CFG_DMA && offset + i < FW_CFG_DMA_END)
            value |= (uint64_t)signature[offset + i - FW_CFG_DMA] << (8 * i);
    return value;
}

/* The address register is big-endian; the write that ends it starts the transfer. */
static void fw_cfg_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    FwCfg *fw_cfg = (FwCfg *)dev;

    if (offset == FW_CFG_SELECTOR && size == 2) {
        select_key(fw_cfg, value);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        if (offset + i < FW_CFG_DMA || offset + i >= FW_CFG_DMA_END)
            continue;
        unsigned shift = 8 * (FW_CFG_DMA_END - 1 - (offset + i));
        fw_cfg->dma_address &= ~(UINT64_C(0xFF) << shift);
        fw_cfg->dma_address |= (value >> (8 * i) & 0xFF) << shift;
    }
    if (offset + size == FW_CFG_DMA_END)
        run_dma(fw_cfg);
}

static void fw_cfg_reset(Device *dev)
{
    FwCfg *fw_cfg = (FwCfg *)dev;

    select_key(fw_cfg, FW_CFG_SIGNATURE);
    fw_cfg->dma_address = 0;
}

static void fw_cfg_update(Device *dev)
{
    ((FwCfg *)dev)->current_valid = false; /* a loaded selector */
}

static bool fw_cfg_realize(Device *dev, Machine *machine, GError **error)
{
    FwCfg *fw_cfg = (FwCfg *)dev;

    address_space_map_device(fw_cfg->ports, FW_CFG_PORT, 2, MAP_PRIORITY_CHIPSET, dev,
                             FW_CFG_SELECTOR);
    address_space_map_device(fw_cfg->ports, FW_CFG_PORT + FW_CFG_DMA, FW_CFG_DMA_END - FW_CFG_DMA,
                             MAP_PRIORITY_CHIPSET, dev, FW_CFG_DMA);
    return true;
}

static void fw_cfg_unrealize(Device *dev)
{
    FwCfg *fw_cfg = (FwCfg *)dev;

    g_clear_pointer(&fw_cfg->current, g_bytes_unref);
    g_clear_pointer(&fw_cfg->directory, g_bytes_unref);
    g_clear_pointer(&fw_cfg->items, g_ptr_array_unref);
    g_clear_pointer(&fw_cfg->files, g_ptr_array_unref);
}

static const DeviceOps fw_cfg_ops = {
    .name = "fw-cfg",
    .instance_size = sizeof(FwCfg),
    .state_version = 1,
    .state = fw_cfg_state,
    .min_access = 1,
    .max_access = 4,
    .realize = fw_cfg_realize,
    .unrealize = fw_cfg_unrealize,
    .reset = fw_cfg_reset,
    .update = fw_cfg_update,
    .read = fw_cfg_read,
    .write = fw_cfg_write,
};

Device *fw_cfg_new(AddressSpace *memory, AddressSpace *ports)
{
    FwCfg *fw_cfg = device_alloc(&fw_cfg_ops, "fw-cfg");

    fw_cfg->memory = memory;
    fw_cfg->ports = ports;
    fw_cfg->items = g_ptr_array_new_with_free_func(entry_free);
    fw_cfg->files = g_ptr_array_new_with_free_func(entry_free);
    fw_cfg_add_item(fw_cfg, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_add_number(fw_cfg, FW_CFG_ID, 3, 4); /* port and DMA interface */
    rebuild_directory(fw_cfg);
    return &fw_cfg->dev;
}
