/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/pflash.h"

#include "core/machine/machine.h"
#include <string.h>

enum {
    COMMAND_PROGRAM = 0x10,
    COMMAND_PROGRAM_TOO = 0x40,
    COMMAND_ERASE = 0x20,
    COMMAND_CLEAR_STATUS = 0x50,
    COMMAND_LOCK = 0x60,
    COMMAND_READ_STATUS = 0x70,
    COMMAND_READ_ID = 0x90,
    COMMAND_QUERY = 0x98,
    COMMAND_SUSPEND = 0xB0,
    COMMAND_CONFIRM = 0xD0,
    COMMAND_READ_ARRAY = 0xFF,
};
enum {
    STATUS_PROGRAM_ERROR = 1 << 4,
    STATUS_ERASE_ERROR = 1 << 5,
    STATUS_SEQUENCE_ERROR = STATUS_PROGRAM_ERROR | STATUS_ERASE_ERROR,
    STATUS_READY = 1 << 7,
};
enum { VENDOR_INTEL = 0x89, PART_ID = 0x18 };

/* What reads give, and what the next write means. */
typedef enum {
    MODE_ARRAY,
    MODE_STATUS,
    MODE_ID,
    MODE_QUERY,
    MODE_PROGRAM, /* the next write is the byte */
    MODE_ERASE,   /* the next write confirms */
    MODE_LOCK,    /* the next write says what about the lock */
    N_MODES
} PflashMode;

struct Pflash {
    Device dev;
    PflashWiring wiring;
    Region *array; /* owned by the space: hides the device while it reads as memory */
    /* guest state */
    uint8_t mode; /* PflashMode */
    uint8_t status;
};

static const StateField pflash_state[] = {
    STATE_UINT_MAX(Pflash, mode, N_MODES - 1),
    STATE_UINT(Pflash, status),
    STATE_END,
};

/* JESD68.01 §2: who it is, its voltages and times, its size and its blocks. */
static uint8_t query(const Pflash *flash, unsigned at)
{
    const Ram *image = flash->wiring.image;
    unsigned last_block = image->size / PFLASH_BLOCK_SIZE - 1;

    switch (at) {
    case 0x10: return 'Q';
    case 0x11: return 'R';
    case 0x12: return 'Y';
    case 0x13: return 0x01; /* the command set: Intel's … */
    case 0x15: return 0x31; /* … its own table, below */
    case 0x1B: return 0x45; /* 4.5 V … */
    case 0x1C: return 0x55; /* … to 5.5 V */
    case 0x1F: return 7;    /* a byte takes 2^7 µs typically, … */
    case 0x21: return 10;   /* … a block 2^10 ms, … */
    case 0x23: return 4;    /* … both 2^4 times as much at most */
    case 0x25: return 4;
    case 0x27: return g_bit_storage(image->size - 1); /* 2^n bytes hold it */
    case 0x2C: return 1;                              /* one kind of blocks: so many … */
    case 0x2D: return last_block & 0xFF;
    case 0x2E: return last_block >> 8;
    case 0x2F: return (PFLASH_BLOCK_SIZE / 256) & 0xFF; /* … of so many 256 bytes */
    case 0x30: return (PFLASH_BLOCK_SIZE / 256) >> 8;
    case 0x31: return 'P';
    case 0x32: return 'R';
    case 0x33: return 'I';
    case 0x34: return '1';
    case 0x35: return '0';
    default: return 0;
    }
}

static uint64_t pflash_read(Device *dev, uint64_t offset, unsigned size)
{
    Pflash *flash = (Pflash *)dev;

    switch (flash->mode) {
    case MODE_ARRAY:
        return offset < flash->wiring.image->size ? flash->wiring.image->host[offset] : 0xFF;
    case MODE_ID: return offset == 0 ? VENDOR_INTEL : offset == 1 ? PART_ID : 0; /* 0: unlocked */
    case MODE_QUERY: return query(flash, offset & 0xFF);
    default: return flash->status;
    }
}

static void changed(Pflash *flash, uint64_t offset, uint64_t length)
{
    ram_wrote(flash->wiring.image, offset, length);
    if (flash->wiring.on_changed)
        flash->wiring.on_changed(flash->wiring.opaque);
}

static void program(Pflash *flash, uint64_t offset, uint8_t value)
{
    uint8_t *at = flash->wiring.image->host + offset;
    uint8_t old = *at;

    flash->status |= STATUS_READY;
    *at &= value;
    if (*at != old)
        changed(flash, offset, 1);
}

static void erase(Pflash *flash, uint64_t offset)
{
    uint64_t block = offset & ~(uint64_t)(PFLASH_BLOCK_SIZE - 1);

    flash->status |= STATUS_READY;
    memset(flash->wiring.image->host + block, 0xFF, PFLASH_BLOCK_SIZE);
    changed(flash, block, PFLASH_BLOCK_SIZE);
}

/* The first write of a command. Clearing the status clears "ready" too, until something is done:
 * that is how firmware tells this flash from RAM and ROM. */
static PflashMode begin_command(Pflash *flash, uint8_t command)
{
    switch (command) {
    case COMMAND_PROGRAM:
    case COMMAND_PROGRAM_TOO: return MODE_PROGRAM;
    case COMMAND_ERASE: return MODE_ERASE;
    case COMMAND_LOCK: return MODE_LOCK;
    case COMMAND_READ_STATUS: return MODE_STATUS;
    case COMMAND_READ_ID: return MODE_ID;
    case COMMAND_QUERY: return MODE_QUERY;
    case COMMAND_SUSPEND: /* nothing takes time here, so nothing can be suspended */
    case COMMAND_CONFIRM: return MODE_STATUS;
    case COMMAND_CLEAR_STATUS: flash->status = 0; return MODE_ARRAY;
    case COMMAND_READ_ARRAY: return MODE_ARRAY;
    default: guest_warn(&flash->dev, "unknown command %02Xh", command); return MODE_ARRAY;
    }
}

static PflashMode finish_command(Pflash *flash, uint64_t offset, uint8_t value)
{
    if (flash->mode == MODE_PROGRAM)
        program(flash, offset, value);
    else if (flash->mode == MODE_ERASE && value == COMMAND_CONFIRM)
        erase(flash, offset);
    else if (flash->mode == MODE_ERASE)
        flash->status |= STATUS_READY | STATUS_SEQUENCE_ERROR;
    else /* every block is unlocked, and stays so */
        flash->status |= STATUS_READY;
    return MODE_STATUS;
}

static void pflash_update(Device *dev)
{
    Pflash *flash = (Pflash *)dev;

    region_set_enabled(flash->array, flash->mode == MODE_ARRAY);
}

static void pflash_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Pflash *flash = (Pflash *)dev;

    if (offset >= flash->wiring.image->size)
        return;
    if (flash->mode >= MODE_PROGRAM)
        flash->mode = finish_command(flash, offset, value);
    else
        flash->mode = begin_command(flash, value);
    pflash_update(dev);
}

static void pflash_reset(Device *dev)
{
    Pflash *flash = (Pflash *)dev;

    flash->mode = MODE_ARRAY;
    flash->status = STATUS_READY;
}

static bool pflash_realize(Device *dev, Machine *machine, GError **error)
{
    Pflash *flash = (Pflash *)dev;
    const PflashWiring *w = &flash->wiring;

    g_return_val_if_fail(w->image->size % PFLASH_BLOCK_SIZE == 0, false);
    address_space_map_device(w->memory, w->base, w->image->size, MAP_PRIORITY_CHIPSET, dev, 0);
    flash->array = address_space_map_rom(w->memory, w->base, w->image->size, MAP_PRIORITY_CHIPSET,
                                         w->image, 0, dev, 0);
    return true;
}

static const DeviceOps pflash_ops = {
    .name = "pflash",
    .instance_size = sizeof(Pflash),
    .state_version = 1,
    .state = pflash_state,
    .min_access = 1,
    .max_access = 1,
    .realize = pflash_realize,
    .reset = pflash_reset,
    .update = pflash_update,
    .read = pflash_read,
    .write = pflash_write,
};

Device *pflash_new(const PflashWiring *wiring)
{
    Pflash *flash = device_alloc(&pflash_ops, "pflash");

    flash->wiring = *wiring;
    return &flash->dev;
}
