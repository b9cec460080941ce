/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/i8042.h"
#include "core/dev/ps2-keyboard.h"
#include "core/dev/ps2-mouse.h"
#include "core/machine/machine.h"

#include <string.h>

enum { I8042_DATA, I8042_COMMAND = 4 }; /* ports 60h and 64h */

#define I8042_STATUS_OBF 0x01u
#define I8042_STATUS_SYSTEM 0x04u
#define I8042_STATUS_COMMAND 0x08u
#define I8042_STATUS_UNLOCKED 0x10u
#define I8042_STATUS_AUX 0x20u

#define I8042_MODE_KEYBOARD_IRQ 0x01u
#define I8042_MODE_MOUSE_IRQ 0x02u
#define I8042_MODE_SYSTEM 0x04u
#define I8042_MODE_KEYBOARD_OFF 0x10u
#define I8042_MODE_MOUSE_OFF 0x20u
#define I8042_MODE_TRANSLATE 0x40u

#define I8042_OUT_NO_RESET 0x01u
#define I8042_OUT_A20 0x02u
#define I8042_OUT_KEYBOARD_IRQ 0x10u
#define I8042_OUT_MOUSE_IRQ 0x20u
#define I8042_OUT_LINES 0xCCu

/* A byte takes its time on the wire (11 bits at 10-16 kHz; ours is a little faster). So a handler
 * that reads port 60h twice, as DOS programs that chain to the BIOS's do, sees the same byte. */
#define I8042_BYTE_NS 500000u
/* Who polls this often is waiting for the byte, and may be counting loops, not time. */
#define I8042_PATIENCE 16u

struct I8042 {
    Device dev;
    /* borrowed */
    IrqLine keyboard_irq, mouse_irq;
    /* guest state */
    Ps2Keyboard keyboard;
    Ps2Mouse mouse;
    uint8_t mode;
    uint8_t ram[32]; /* [0] is unused: that is mode */
    uint8_t command; /* waits for its argument; 0: none */
    bool last_was_command;
    uint8_t data; /* what port 60h reads */
    bool full, full_aux;
    bool own_pending, own_aux; /* the controller's own answer, waiting for the buffer */
    uint8_t own;
    bool release; /* translation: F0h was seen */
    uint8_t polls;
    uint64_t wire_free_ns; /* when the next byte from a device can be complete */
    ClockTimer wire_timer;
};

static const StateField i8042_state[] = {
    STATE_STRUCT(I8042, keyboard, ps2_keyboard_state),
    STATE_STRUCT(I8042, mouse, ps2_mouse_state),
    STATE_UINT(I8042, mode),
    STATE_ARRAY(I8042, ram),
    STATE_UINT(I8042, command),
    STATE_BOOL(I8042, last_was_command),
    STATE_UINT(I8042, data),
    STATE_BOOL(I8042, full),
    STATE_BOOL(I8042, full_aux),
    STATE_BOOL(I8042, own_pending),
    STATE_BOOL(I8042, own_aux),
    STATE_UINT(I8042, own),
    STATE_BOOL(I8042, release),
    STATE_UINT(I8042, polls),
    STATE_UINT(I8042, wire_free_ns),
    STATE_TIMER(I8042, wire_timer),
    STATE_END,
};

static void i8042_update(Device *dev)
{
    I8042 *s = (I8042 *)dev;
    bool keyboard = s->full && !s->full_aux && !(s->mode & I8042_MODE_KEYBOARD_OFF);

    irq_set(&s->keyboard_irq, keyboard && (s->mode & I8042_MODE_KEYBOARD_IRQ));
    irq_set(&s->mouse_irq, s->full && s->full_aux && (s->mode & I8042_MODE_MOUSE_IRQ));
}

/* --- output buffer ---------------------------------------------------------------------------- */

static void i8042_load(I8042 *s, uint8_t byte, bool aux)
{
    s->data = byte;
    s->full = true;
    s->full_aux = aux;
    s->polls = 0;
    clock_timer_cancel(&s->wire_timer);
}

/* Returns whether the keyboard had a byte for the guest; F0h of set 2 is kept back. */
static bool i8042_take_from_keyboard(I8042 *s)
{
    if (s->mode & I8042_MODE_KEYBOARD_OFF)
        return false;
    while (ps2_keyboard_has_byte(&s->keyboard)) {
        uint8_t byte = ps2_keyboard_take(&s->keyboard);

        if (s->mode & I8042_MODE_TRANSLATE) {
            if (byte == 0xF0) {
                s->release = true;
                continue;
            }
            byte = ps2_translate(byte) | (s->release ? 0x80 : 0);
        }
        s->release = false;
        i8042_load(s, byte, false);
        return true;
    }
    return false;
}

static bool i8042_device_has_byte(const I8042 *s)
{
    return (!(s->mode & I8042_MODE_KEYBOARD_OFF) && ps2_keyboard_has_byte(&s->keyboard)) ||
           (!(s->mode & I8042_MODE_MOUSE_OFF) && ps2_mouse_has_byte(&s->mouse));
}

/* Moves the next byte into the output buffer, when that is empty and the byte's time has come. */
static void i8042_fill(I8042 *s)
{
    if (s->full)
        return;
    if (s->own_pending) {
        s->own_pending = false;
        i8042_load(s, s->own, s->own_aux);
        return;
    }
    if (!i8042_device_has_byte(s))
        return;
    if (clock_now_ns(s->wire_timer.clock) < s->wire_free_ns) {
        if (!clock_timer_is_set(&s->wire_timer))
            clock_timer_set(&s->wire_timer, s->wire_free_ns);
        return;
    }
    if (!i8042_take_from_keyboard(s) && !(s->mode & I8042_MODE_MOUSE_OFF) &&
        ps2_mouse_has_byte(&s->mouse))
        i8042_load(s, ps2_mouse_take(&s->mouse), true);
}

static void i8042_on_wire_timer(void *opaque)
{
    I8042 *s = opaque;

    i8042_fill(s);
    i8042_update(&s->dev);
}

/* The controller's own answers wait for the guest to fetch what is in the buffer, but go before
 * everything that the devices have. */
static void i8042_answer(I8042 *s, uint8_t byte, bool aux)
{
    s->own_pending = true;
    s->own = byte;
    s->own_aux = aux;
}

/* --- commands --------------------------------------------------------------------------------- */

static uint8_t i8042_output_port(const I8042 *s)
{
    return I8042_OUT_NO_RESET | I8042_OUT_LINES |
           (machine_a20(s->dev.machine) ? I8042_OUT_A20 : 0) |
           (s->full && !s->full_aux ? I8042_OUT_KEYBOARD_IRQ : 0) |
           (s->full && s->full_aux ? I8042_OUT_MOUSE_IRQ : 0);
}

static void i8042_write_output_port(I8042 *s, uint8_t value)
{
    machine_set_a20(s->dev.machine, value & I8042_OUT_A20);
    if (!(value & I8042_OUT_NO_RESET))
        machine_request_reset(s->dev.machine);
}

static void i8042_write_command(I8042 *s, uint8_t value)
{
    s->command = 0;
    if (value >= 0xF0) { /* pulses the lines whose bit is 0: bit 0 resets the processor */
        if (!(value & 1))
            machine_request_reset(s->dev.machine);
        return;
    }
    switch (value) {
    case 0x20: i8042_answer(s, s->mode, false); break;
    case 0x21 ... 0x3F: i8042_answer(s, s->ram[value & 0x1F], false); break;
    case 0x60 ... 0x7F:
    case 0xD1 ... 0xD4: s->command = value; break;
    case 0xA4: i8042_answer(s, 0xF1, false); break; /* no password */
    case 0xA7: s->mode |= I8042_MODE_MOUSE_OFF; break;
    case 0xA8: s->mode &= ~I8042_MODE_MOUSE_OFF; break;
    case 0xA9:
    case 0xAB: i8042_answer(s, 0x00, false); break; /* wires are good */
    case 0xAA:
        s->mode |= I8042_MODE_SYSTEM;
        i8042_answer(s, 0x55, false);
        break;
    case 0xAD: s->mode |= I8042_MODE_KEYBOARD_OFF; break;
    case 0xAE: s->mode &= ~I8042_MODE_KEYBOARD_OFF; break;
    case 0xC0: i8042_answer(s, 0x80, false); break; /* not locked */
    case 0xD0: i8042_answer(s, i8042_output_port(s), false); break;
    case 0xDD: machine_set_a20(s->dev.machine, false); break;
    case 0xDF: machine_set_a20(s->dev.machine, true); break;
    default: guest_warn(&s->dev, "unknown command %02Xh", value); break;
    }
}

static void i8042_write_data(I8042 *s, uint8_t value)
{
    uint8_t command = s->command;

    s->command = 0;
    switch (command) {
    case 0: /* talking to the keyboard also switches it on */
        s->mode &= ~I8042_MODE_KEYBOARD_OFF;
        ps2_keyboard_write(&s->keyboard, value);
        break;
    case 0x60: s->mode = value; break;
    case 0xD1: i8042_write_output_port(s, value); break;
    case 0xD2: i8042_answer(s, value, false); break;
    case 0xD3: i8042_answer(s, value, true); break;
    case 0xD4:
        s->mode &= ~I8042_MODE_MOUSE_OFF;
        ps2_mouse_write(&s->mouse, value);
        break;
    default: s->ram[command & 0x1F] = value; break;
    }
}

/* --- registers -------------------------------------------------------------------------------- */

static uint8_t i8042_read_data(I8042 *s)
{
    uint8_t value = s->data;

    if (s->full) {
        s->full = false;
        s->wire_free_ns = clock_now_ns(s->wire_timer.clock) + I8042_BYTE_NS;
        /* The line falls before it rises for the next byte. */
        i8042_update(&s->dev);
    }
    return value;
}

static uint8_t i8042_read_status(I8042 *s)
{
    if (!s->full && clock_timer_is_set(&s->wire_timer) && ++s->polls > I8042_PATIENCE)
        s->wire_free_ns = 0;
    i8042_fill(s);
    return (s->full ? I8042_STATUS_OBF : 0) | (s->full && s->full_aux ? I8042_STATUS_AUX : 0) |
           (s->mode & I8042_MODE_SYSTEM ? I8042_STATUS_SYSTEM : 0) |
           (s->last_was_command ? I8042_STATUS_COMMAND : 0) | I8042_STATUS_UNLOCKED;
}

static uint64_t i8042_read(Device *dev, uint64_t offset, unsigned size)
{
    I8042 *s = (I8042 *)dev;
    uint8_t value = offset == I8042_DATA ? i8042_read_data(s) : i8042_read_status(s);

    i8042_fill(s);
    i8042_update(dev);
    return value;
}

static void i8042_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    I8042 *s = (I8042 *)dev;

    s->last_was_command = offset == I8042_COMMAND;
    if (offset == I8042_COMMAND)
        i8042_write_command(s, value);
    else
        i8042_write_data(s, value);
    i8042_fill(s);
    i8042_update(dev);
}

static void i8042_reset(Device *dev)
{
    I8042 *s = (I8042 *)dev;

    ps2_keyboard_reset(&s->keyboard);
    ps2_mouse_reset(&s->mouse);
    s->mode = I8042_MODE_KEYBOARD_IRQ | I8042_MODE_MOUSE_IRQ;
    memset(s->ram, 0, sizeof(s->ram));
    s->command = s->data = s->own = s->polls = 0;
    s->last_was_command = true;
    s->full = s->full_aux = s->own_pending = s->own_aux = s->release = false;
    s->wire_free_ns = 0;
    clock_timer_cancel(&s->wire_timer);
}

static bool i8042_realize(Device *dev, Machine *machine, GError **error)
{
    I8042 *s = (I8042 *)dev;

    clock_timer_init(&s->wire_timer, machine->clock, i8042_on_wire_timer, s);
    address_space_map_device(machine->ports, 0x60, 1, MAP_PRIORITY_CHIPSET, dev, I8042_DATA);
    address_space_map_device(machine->ports, 0x64, 1, MAP_PRIORITY_CHIPSET, dev, I8042_COMMAND);
    return true;
}

static void i8042_unrealize(Device *dev)
{
    clock_timer_cancel(&((I8042 *)dev)->wire_timer);
}

static const DeviceOps i8042_ops = {
    .name = "i8042",
    .instance_size = sizeof(I8042),
    .state_version = 1,
    .state = i8042_state,
    .min_access = 1,
    .max_access = 1,
    .realize = i8042_realize,
    .unrealize = i8042_unrealize,
    .reset = i8042_reset,
    .update = i8042_update,
    .read = i8042_read,
    .write = i8042_write,
};

Device *i8042_new(IrqLine keyboard_irq, IrqLine mouse_irq)
{
    I8042 *s = device_alloc(&i8042_ops, "i8042");

    s->keyboard_irq = keyboard_irq;
    s->mouse_irq = mouse_irq;
    return &s->dev;
}

/* --- the person at the keyboard --------------------------------------------------------------- */

bool i8042_key(I8042 *s, unsigned key, bool down)
{
    bool taken;

    device_enter(&s->dev);
    taken = ps2_keyboard_key(&s->keyboard, key, down);
    i8042_fill(s);
    i8042_update(&s->dev);
    device_leave(&s->dev);
    return taken;
}

void i8042_mouse(I8042 *s, int dx, int dy, int dz, unsigned buttons)
{
    device_enter(&s->dev);
    ps2_mouse_move(&s->mouse, dx, dy, dz, buttons);
    i8042_fill(s);
    i8042_update(&s->dev);
    device_leave(&s->dev);
}

unsigned i8042_keyboard_queued(I8042 *s)
{
    unsigned n;

    device_enter(&s->dev);
    n = s->keyboard.events.count + (s->full && !s->full_aux);
    device_leave(&s->dev);
    return n;
}

unsigned i8042_leds(I8042 *s)
{
    unsigned leds;

    device_enter(&s->dev);
    leds = s->keyboard.leds;
    device_leave(&s->dev);
    return leds;
}
