/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/irq/pic.h"

#include "core/machine/machine.h"

/* Windows, told apart by offset. */
enum { PIC_MASTER = 0x00, PIC_SLAVE = 0x10, PIC_ELCR = 0x20 };

enum {
    ICW1_IC4 = 1 << 0,
    ICW1_SINGLE = 1 << 1,
    ICW1 = 1 << 4,
    ICW4_AUTO_EOI = 1 << 1,
    ICW4_SPECIAL_NESTED = 1 << 4,
    OCW3 = 1 << 3,
};

typedef struct {
    uint8_t irr, imr, isr;
    uint8_t level; /* the input wires */
    uint8_t elcr;
    uint8_t vector_base, icw3;
    uint8_t icw_step; /* 0: running, else the ICW that the next write is */
    uint8_t lowest;   /* the input of lowest priority: 7 until rotated */
    bool needs_icw4, is_single;
    bool auto_eoi, rotate_on_auto_eoi, special_nested, special_mask;
    bool read_isr, poll;
} PicChip;

struct Pic {
    Device dev;
    IrqLine intr;    /* wiring */
    PicChip chip[2]; /* guest state: master, slave */
};

static const StateField pic_chip_state[] = {
    STATE_UINT(PicChip, irr),
    STATE_UINT(PicChip, imr),
    STATE_UINT(PicChip, isr),
    STATE_UINT(PicChip, level),
    STATE_UINT(PicChip, elcr),
    STATE_UINT(PicChip, vector_base),
    STATE_UINT(PicChip, icw3),
    STATE_UINT_MAX(PicChip, icw_step, 4),
    STATE_UINT_MAX(PicChip, lowest, 7),
    STATE_BOOL(PicChip, needs_icw4),
    STATE_BOOL(PicChip, is_single),
    STATE_BOOL(PicChip, auto_eoi),
    STATE_BOOL(PicChip, rotate_on_auto_eoi),
    STATE_BOOL(PicChip, special_nested),
    STATE_BOOL(PicChip, special_mask),
    STATE_BOOL(PicChip, read_isr),
    STATE_BOOL(PicChip, poll),
    STATE_END,
};

static const StateField pic_state[] = { STATE_STRUCTS(Pic, chip, pic_chip_state), STATE_END };

/* The input of highest priority in @bits, or -1. */
static int chip_highest(const PicChip *chip, uint8_t bits)
{
    for (unsigned i = 1; bits && i <= 8; i++) {
        unsigned input = (chip->lowest + i) & 7;
        if (bits & 1 << input)
            return (int)input;
    }
    return -1;
}

static unsigned chip_rank(const PicChip *chip, int input)
{
    return input < 0 ? 8 : (unsigned)(input - chip->lowest - 1) & 7;
}

/* The input that the chip would announce now, or -1. */
static int chip_request(const PicChip *chip, uint8_t irr)
{
    uint8_t in_service = chip->isr;

    if (chip->special_mask)
        in_service &= ~chip->imr;
    int wanted = chip_highest(chip, irr & ~chip->imr);
    if (wanted < 0)
        return -1;
    int busy = chip_highest(chip, in_service);
    /* Special fully nested: another request of the slave in service is let through. */
    if (chip->special_nested && wanted == 2 && busy == 2)
        return wanted;
    return chip_rank(chip, wanted) < chip_rank(chip, busy) ? wanted : -1;
}

/* The slave's INT is input 2 of the master, as a level. */
static uint8_t pic_irr(const Pic *pic, unsigned which)
{
    const PicChip *slave = &pic->chip[1];

    if (which == 1)
        return slave->irr;
    return (pic->chip[0].irr & ~4) | (chip_request(slave, slave->irr) >= 0 ? 4 : 0);
}

static int pic_request(const Pic *pic, unsigned which)
{
    return chip_request(&pic->chip[which], pic_irr(pic, which));
}

static void pic_update(Device *dev)
{
    Pic *pic = (Pic *)dev;

    irq_set(&pic->intr, pic_request(pic, 0) >= 0);
}

void pic_set_irq(Pic *pic, unsigned irq, bool level)
{
    PicChip *chip = &pic->chip[irq >> 3 & 1];
    uint8_t bit = 1 << (irq & 7);

    if (irq == 2 || irq > 15)
        return;
    if (chip->elcr & bit)
        chip->irr = level ? chip->irr | bit : chip->irr & ~bit;
    else if (level && !(chip->level & bit))
        chip->irr |= bit; /* stays latched until acknowledged */
    chip->level = level ? chip->level | bit : chip->level & ~bit;
    pic_update(&pic->dev);
}

bool pic_irq_is_waiting(const Pic *pic, unsigned irq)
{
    const PicChip *chip = &pic->chip[irq >> 3 & 1];

    return chip->irr & ~chip->imr & 1 << (irq & 7);
}

uint8_t pic_vector(const Pic *pic, unsigned irq)
{
    return pic->chip[irq >> 3 & 1].vector_base + (irq & 7);
}

/* One INTA to one chip: the input and its entry into service. Nothing there any more: input 7,
 * which does not enter service (8259A, "default IR7"). */
static unsigned pic_acknowledge_chip(Pic *pic, unsigned which)
{
    PicChip *chip = &pic->chip[which];
    int input = pic_request(pic, which);

    if (input < 0)
        return 7;
    if (!(chip->elcr & 1 << input))
        chip->irr &= ~(1 << input);
    if (!chip->auto_eoi)
        chip->isr |= 1 << input;
    else if (chip->rotate_on_auto_eoi)
        chip->lowest = (uint8_t)input;
    return (unsigned)input;
}

int pic_acknowledge(Pic *pic)
{
    bool is_slave = pic_request(pic, 0) == 2;
    unsigned input = pic_acknowledge_chip(pic, 0);
    int vector = pic->chip[0].vector_base + (int)input;

    if (is_slave)
        vector = pic->chip[1].vector_base + (int)pic_acknowledge_chip(pic, 1);
    pic_update(&pic->dev);
    return vector;
}

static uint64_t pic_read(Device *dev, uint64_t offset, unsigned size)
{
    Pic *pic = (Pic *)dev;
    unsigned which = offset >> 4 & 1;
    PicChip *chip = &pic->chip[which];

    if (offset >= PIC_ELCR)
        return pic->chip[offset & 1].elcr;
    if (chip->poll) { /* the read is the INTA */
        bool is_pending = pic_request(pic, which) >= 0;
        unsigned input = pic_acknowledge_chip(pic, which);
        chip->poll = false;
        pic_update(dev);
        return is_pending ? 0x80 | input : 0;
    }
    if (offset & 1)
        return chip->imr;
    return chip->read_isr ? chip->isr : pic_irr(pic, which);
}

static void chip_write_icw1(PicChip *chip, uint8_t value)
{
    *chip = (PicChip){
        .level = chip->level,
        .elcr = chip->elcr,
        .irr = chip->level & chip->elcr, /* edges are forgotten, levels are still there */
        .lowest = 7,
        .icw_step = 2,
        .needs_icw4 = value & ICW1_IC4,
        .is_single = value & ICW1_SINGLE,
    };
}

static void chip_write_ocw2(PicChip *chip, uint8_t value)
{
    unsigned input = value & 7;

    switch (value >> 5) {
    case 0: chip->rotate_on_auto_eoi = false; break;
    case 4: chip->rotate_on_auto_eoi = true; break;
    case 1:   /* non-specific EOI */
    case 5: { /* … and rotate */
        int busy = chip_highest(chip, chip->special_mask ? chip->isr & ~chip->imr : chip->isr);
        if (busy < 0)
            break;
        chip->isr &= ~(1 << busy);
        if (value >> 5 == 5)
            chip->lowest = (uint8_t)busy;
        break;
    }
    case 3: chip->isr &= ~(1 << input); break;
    case 7:
        chip->isr &= ~(1 << input);
        chip->lowest = (uint8_t)input;
        break;
    case 6: chip->lowest = (uint8_t)input; break;
    default: break;
    }
}

static void chip_write_ocw3(PicChip *chip, uint8_t value)
{
    if (value & 1 << 2)
        chip->poll = true;
    if (value & 1 << 1)
        chip->read_isr = value & 1;
    if (value & 1 << 6)
        chip->special_mask = value >> 5 & 1;
}

static void chip_write_data(PicChip *chip, uint8_t value)
{
    switch (chip->icw_step) {
    case 2:
        chip->vector_base = value & 0xF8;
        chip->icw_step = !chip->is_single ? 3 : chip->needs_icw4 ? 4 : 0;
        break;
    case 3:
        chip->icw3 = value;
        chip->icw_step = chip->needs_icw4 ? 4 : 0;
        break;
    case 4:
        chip->auto_eoi = value & ICW4_AUTO_EOI;
        chip->special_nested = value & ICW4_SPECIAL_NESTED;
        chip->icw_step = 0;
        break;
    default: chip->imr = value;
    }
}

static void pic_write_elcr(PicChip *chip, uint8_t value, uint8_t allowed)
{
    chip->elcr = value & allowed;
    /* A wire that becomes level-triggered asks for as long as it is high. */
    chip->irr = (chip->irr & ~chip->elcr) | (chip->level & chip->elcr);
}

static void pic_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Pic *pic = (Pic *)dev;
    PicChip *chip = &pic->chip[offset >> 4 & 1];

    /* IRQ 0, 1, 2, 8 and 13 are always edges (ICH9 §13.4.11). */
    if (offset >= PIC_ELCR)
        pic_write_elcr(&pic->chip[offset & 1], (uint8_t)value, offset & 1 ? 0xDE : 0xF8);
    else if (offset & 1)
        chip_write_data(chip, (uint8_t)value);
    else if (value & ICW1)
        chip_write_icw1(chip, (uint8_t)value);
    else if (value & OCW3)
        chip_write_ocw3(chip, (uint8_t)value);
    else
        chip_write_ocw2(chip, (uint8_t)value);
    pic_update(dev);
}

static void pic_reset(Device *dev)
{
    Pic *pic = (Pic *)dev;

    /* The wires are the other devices'. */
    for (unsigned i = 0; i < 2; i++)
        pic->chip[i] = (PicChip){ .level = pic->chip[i].level, .lowest = 7 };
}

static bool pic_realize(Device *dev, Machine *machine, GError **error)
{
    AddressSpace *ports = machine->ports;

    address_space_map_device(ports, 0x20, 2, MAP_PRIORITY_CHIPSET, dev, PIC_MASTER);
    address_space_map_device(ports, 0xA0, 2, MAP_PRIORITY_CHIPSET, dev, PIC_SLAVE);
    address_space_map_device(ports, 0x4D0, 2, MAP_PRIORITY_CHIPSET, dev, PIC_ELCR);
    return true;
}

static const DeviceOps pic_ops = {
    .name = "pic",
    .instance_size = sizeof(Pic),
    .state_version = 1,
    .state = pic_state,
    .min_access = 1,
    .max_access = 1,
    .realize = pic_realize,
    .reset = pic_reset,
    .update = pic_update,
    .read = pic_read,
    .write = pic_write,
};

Device *pic_new(IrqLine intr)
{
    Pic *pic = device_alloc(&pic_ops, "pic");

    pic->intr = intr;
    return &pic->dev;
}
