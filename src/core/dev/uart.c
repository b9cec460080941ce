/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
#include "core/dev/uart.h"
#include "core/machine/machine.h"

#include <string.h>

enum { UART_RBR_THR, UART_IER, UART_IIR_FCR, UART_LCR, UART_MCR, UART_LSR, UART_MSR, UART_SCR };

#define UART_IER_RECEIVED 0x01u
#define UART_IER_THRE 0x02u
#define UART_IER_LINE 0x04u
#define UART_IER_MODEM 0x08u
#define UART_IIR_NONE 0x01u
#define UART_IIR_MODEM 0x00u
#define UART_IIR_THRE 0x02u
#define UART_IIR_RECEIVED 0x04u
#define UART_IIR_LINE 0x06u
#define UART_IIR_TIMEOUT 0x0Cu
#define UART_IIR_FIFO 0xC0u
#define UART_FCR_ENABLE 0x01u
#define UART_FCR_CLEAR_RX 0x02u
#define UART_LCR_DLAB 0x80u
#define UART_MCR_LOOP 0x10u
#define UART_LSR_DR 0x01u
#define UART_LSR_OE 0x02u
#define UART_LSR_ERRORS 0x1Eu
#define UART_LSR_THRE 0x20u
#define UART_LSR_TEMT 0x40u
#define UART_MSR_DELTAS 0x0Fu
#define UART_MSR_CTS 0x10u
#define UART_MSR_DSR 0x20u
#define UART_MSR_RI 0x40u
#define UART_MSR_DCD 0x80u

#define UART_FIFO_SIZE 16u
#define UART_CLOCK_HZ 115200u /* 1.8432 MHz / 16 */

typedef struct {
    Device dev;
    /* borrowed */
    CharBackend *chr;
    IrqLine irq;
    uint16_t port;
    /* guest state */
    uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
    uint16_t divisor;
    uint8_t rx[UART_FIFO_SIZE];
    uint8_t rx_head, rx_count;
    bool thre_pending; /* the THRE interrupt: not the same as LSR's THRE, as reading IIR ends it */
    bool rx_timed_out;
    ClockTimer rx_timeout;
} Uart;

static const StateField uart_state[] = {
    STATE_UINT(Uart, ier),
    STATE_UINT(Uart, fcr),
    STATE_UINT(Uart, lcr),
    STATE_UINT(Uart, mcr),
    STATE_UINT(Uart, lsr),
    STATE_UINT(Uart, msr),
    STATE_UINT(Uart, scr),
    STATE_UINT(Uart, divisor),
    STATE_ARRAY(Uart, rx),
    STATE_UINT_MAX(Uart, rx_head, UART_FIFO_SIZE - 1),
    STATE_UINT_MAX(Uart, rx_count, UART_FIFO_SIZE),
    STATE_BOOL(Uart, thre_pending),
    STATE_BOOL(Uart, rx_timed_out),
    STATE_TIMER(Uart, rx_timeout),
    STATE_END,
};

/* §8.6.3: sources in order of priority. */
static uint8_t uart_interrupt_source(const Uart *uart)
{
    static const uint8_t trigger[4] = { 1, 4, 8, 14 };
    bool fifo = uart->fcr & UART_FCR_ENABLE;

    if ((uart->ier & UART_IER_LINE) && (uart->lsr & UART_LSR_ERRORS))
        return UART_IIR_LINE;
    if (uart->ier & UART_IER_RECEIVED) {
        if (uart->rx_count >= (fifo ? trigger[uart->fcr >> 6] : 1))
            return UART_IIR_RECEIVED;
        if (uart->rx_timed_out)
            return UART_IIR_TIMEOUT;
    }
    if ((uart->ier & UART_IER_THRE) && uart->thre_pending)
        return UART_IIR_THRE;
    if ((uart->ier & UART_IER_MODEM) && (uart->msr & UART_MSR_DELTAS))
        return UART_IIR_MODEM;
    return UART_IIR_NONE;
}

static void uart_update(Device *dev)
{
    Uart *uart = (Uart *)dev;

    irq_set(&uart->irq, uart_interrupt_source(uart) != UART_IIR_NONE);
}

/* --- receiver --------------------------------------------------------------------------------- */

/* Four character times without a byte coming in or going out (§8.6.3). */
static void uart_restart_rx_timeout(Uart *uart)
{
    unsigned bits = 1 + 5 + (uart->lcr & 3) + (uart->lcr >> 3 & 1) + 1 + (uart->lcr >> 2 & 1);
    uint64_t divisor = uart->divisor ? uart->divisor : 0x10000;

    uart->rx_timed_out = false;
    if (!(uart->fcr & UART_FCR_ENABLE) || !uart->rx_count) {
        clock_timer_cancel(&uart->rx_timeout);
        return;
    }
    clock_timer_set(&uart->rx_timeout,
                    clock_now_ns(uart->rx_timeout.clock) +
                        4 * bits * divisor * CLOCK_NS_PER_SECOND / UART_CLOCK_HZ);
}

static void uart_on_rx_timeout(void *opaque)
{
    Uart *uart = opaque;

    uart->rx_timed_out = uart->rx_count > 0;
    uart_update(&uart->dev);
}

static unsigned uart_rx_size(const Uart *uart)
{
    return uart->fcr & UART_FCR_ENABLE ? UART_FIFO_SIZE : 1;
}

static void uart_push_byte(Uart *uart, uint8_t byte)
{
    if (uart->rx_count >= uart_rx_size(uart)) {
        uart->lsr |= UART_LSR_OE;
        if (!(uart->fcr & UART_FCR_ENABLE)) /* the holding register is overwritten, a FIFO is not */
            uart->rx[uart->rx_head] = byte;
    } else {
        uart->rx[(uart->rx_head + uart->rx_count++) % UART_FIFO_SIZE] = byte;
    }
    uart->lsr |= UART_LSR_DR;
    uart_restart_rx_timeout(uart);
}

static uint8_t uart_pop_byte(Uart *uart)
{
    uint8_t byte = uart->rx[uart->rx_head];

    if (uart->rx_count) {
        uart->rx_head = (uart->rx_head + 1) % UART_FIFO_SIZE;
        if (!--uart->rx_count)
            uart->lsr &= ~UART_LSR_DR;
        uart_restart_rx_timeout(uart);
        /* The line falls between two bytes, so that an edge-triggered input sees the next. */
        uart_update(&uart->dev);
        char_backend_accept(uart->chr);
    }
    return byte;
}

static void uart_clear_rx(Uart *uart)
{
    uart->rx_head = uart->rx_count = 0;
    uart->lsr &= ~UART_LSR_DR;
    uart_restart_rx_timeout(uart);
}

static size_t uart_can_accept(Device *dev)
{
    Uart *uart = (Uart *)dev;

    if (uart->mcr & UART_MCR_LOOP) /* the receiver is cut off from the line */
        return 0;
    return uart_rx_size(uart) - MIN(uart->rx_count, uart_rx_size(uart));
}

static void uart_receive(Device *dev, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        uart_push_byte((Uart *)dev, bytes[i]);
    uart_update(dev);
}

/* --- transmitter and modem lines -------------------------------------------------------------- */

/* Bytes leave at once: the transmitter is empty again when the write returns. */
static void uart_transmit(Uart *uart, uint8_t byte)
{
    uart->thre_pending = false;
    uart_update(&uart->dev);
    if (uart->mcr & UART_MCR_LOOP)
        uart_push_byte(uart, byte);
    else
        char_backend_write(uart->chr, &byte, 1);
    uart->thre_pending = true;
}

/* §8.6.7: in loopback the four outputs are seen as the four inputs. */
static uint8_t uart_modem_inputs(const Uart *uart)
{
    if (!(uart->mcr & UART_MCR_LOOP))
        return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
    return (uart->mcr & 2 ? UART_MSR_CTS : 0) | (uart->mcr & 1 ? UART_MSR_DSR : 0) |
           (uart->mcr & 4 ? UART_MSR_RI : 0) | (uart->mcr & 8 ? UART_MSR_DCD : 0);
}

static void uart_update_modem(Uart *uart)
{
    uint8_t inputs = uart_modem_inputs(uart), old = uart->msr & 0xF0;
    uint8_t changed = (inputs ^ old) & (UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD);

    if ((old & UART_MSR_RI) && !(inputs & UART_MSR_RI)) /* the trailing edge only */
        changed |= UART_MSR_RI;
    uart->msr = inputs | (uart->msr & UART_MSR_DELTAS) | changed >> 4;
}

static void uart_write_fcr(Uart *uart, uint8_t value)
{
    bool toggled = (value ^ uart->fcr) & UART_FCR_ENABLE;

    uart->fcr = value & UART_FCR_ENABLE ? value & 0xC9 : 0; /* else other bits do not stick */
    if (toggled || (value & UART_FCR_CLEAR_RX))
        uart_clear_rx(uart);
    char_backend_accept(uart->chr);
}

static void uart_write_ier(Uart *uart, uint8_t value)
{
    if ((value & ~uart->ier & UART_IER_THRE) && (uart->lsr & UART_LSR_THRE))
        uart->thre_pending = true;
    uart->ier = value & 0x0F;
}

/* --- registers -------------------------------------------------------------------------------- */

static uint8_t uart_read_iir(Uart *uart)
{
    uint8_t source = uart_interrupt_source(uart);

    if (source == UART_IIR_THRE)
        uart->thre_pending = false;
    return source | (uart->fcr & UART_FCR_ENABLE ? UART_IIR_FIFO : 0);
}

static uint8_t uart_read_register(Uart *uart, unsigned reg)
{
    bool dlab = uart->lcr & UART_LCR_DLAB;
    uint8_t value;

    switch (reg) {
    case UART_RBR_THR: return dlab ? uart->divisor & 0xFF : uart_pop_byte(uart);
    case UART_IER: return dlab ? uart->divisor >> 8 : uart->ier;
    case UART_IIR_FCR: return uart_read_iir(uart);
    case UART_LCR: return uart->lcr;
    case UART_MCR: return uart->mcr;
    case UART_LSR:
        value = uart->lsr;
        uart->lsr &= ~UART_LSR_ERRORS;
        return value;
    case UART_MSR:
        value = uart->msr;
        uart->msr &= ~UART_MSR_DELTAS;
        return value;
    default: return uart->scr;
    }
}

static uint64_t uart_read(Device *dev, uint64_t offset, unsigned size)
{
    uint8_t value = uart_read_register((Uart *)dev, offset & 7);

    uart_update(dev);
    return value;
}

static void uart_write(Device *dev, uint64_t offset, unsigned size, uint64_t value)
{
    Uart *uart = (Uart *)dev;
    bool dlab = uart->lcr & UART_LCR_DLAB;

    switch (offset & 7) {
    case UART_RBR_THR:
        if (dlab)
            uart->divisor = (uart->divisor & 0xFF00) | (value & 0xFF);
        else
            uart_transmit(uart, value);
        break;
    case UART_IER:
        if (dlab)
            uart->divisor = (uart->divisor & 0x00FF) | (value & 0xFF) << 8;
        else
            uart_write_ier(uart, value);
        break;
    case UART_IIR_FCR: uart_write_fcr(uart, value); break;
    case UART_LCR: uart->lcr = value; break;
    case UART_MCR:
        uart->mcr = value & 0x1F;
        uart_update_modem(uart);
        char_backend_accept(uart->chr);
        break;
    case UART_SCR: uart->scr = value; break;
    default: break; /* LSR and MSR are written by factory tests only */
    }
    uart_update(dev);
}

static void uart_reset(Device *dev)
{
    Uart *uart = (Uart *)dev;

    uart->ier = uart->fcr = uart->lcr = uart->mcr = uart->scr = 0;
    uart->lsr = UART_LSR_THRE | UART_LSR_TEMT;
    uart->msr = uart_modem_inputs(uart);
    uart->divisor = 12;
    memset(uart->rx, 0, sizeof(uart->rx));
    uart->thre_pending = false;
    uart_clear_rx(uart);
}

static bool uart_realize(Device *dev, Machine *machine, GError **error)
{
    Uart *uart = (Uart *)dev;

    clock_timer_init(&uart->rx_timeout, machine->clock, uart_on_rx_timeout, uart);
    address_space_map_device(machine->ports, uart->port, 8, MAP_PRIORITY_CHIPSET, dev, 0);
    char_backend_set_device(uart->chr, dev, uart_receive, uart_can_accept);
    return true;
}

static void uart_unrealize(Device *dev)
{
    Uart *uart = (Uart *)dev;

    char_backend_set_device(uart->chr, NULL, NULL, NULL);
    clock_timer_cancel(&uart->rx_timeout);
}

static const DeviceOps uart_ops = {
    .name = "uart",
    .instance_size = sizeof(Uart),
    .state_version = 1,
    .state = uart_state,
    .min_access = 1,
    .max_access = 1,
    .realize = uart_realize,
    .unrealize = uart_unrealize,
    .reset = uart_reset,
    .update = uart_update,
    .read = uart_read,
    .write = uart_write,
};

Device *uart_new(CharBackend *chr, IrqLine irq, uint16_t port)
{
    g_autofree char *id = g_strdup_printf("uart-%x", port);
    Uart *uart = device_alloc(&uart_ops, id);

    uart->chr = chr;
    uart->irq = irq;
    uart->port = port;
    return &uart->dev;
}
