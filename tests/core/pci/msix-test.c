/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */

/* MSI-X and the routes of its messages, with a CPU that takes some of them over as KVM does. */

#include "core/pci/msix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* after those */
#include <cmocka.h>
#include <sys/eventfd.h>

#define DEVFN PCI_DEVFN(3, 0)
#define N_VECTORS 3
#define ADDRESS 0xFEE01000u
enum { CONTROL = 0x82, ENABLE = 0x8000, MASK_ALL = 0x4000 };

typedef struct {
    PciDevice pci;
    Msix msix;
} Card;

static const StateField card_state[] = { PCI_STATE(Card, pci), STATE_STRUCT(Card, msix, msix_state),
                                         STATE_END };

static void card_written(PciDevice *pci, unsigned offset, unsigned size)
{
    msix_update(&((Card *)pci)->msix);
}

static const DeviceOps card_ops = {
    .name = "card",
    .instance_size = sizeof(Card),
    .state = card_state,
    .min_access = 4,
    .max_access = 4,
};

typedef struct {
    AddressSpace *memory, *ports;
    PciBus *bus;
    Card *card;
    bool intx;
    unsigned n_sent;
    uint64_t address;
    uint32_t data;
} Fixture;

static void on_intx(void *opaque, uint8_t devfn, unsigned pin, bool level)
{
    ((Fixture *)opaque)->intx = level;
}

static void on_message(void *opaque, uint64_t address, uint32_t data)
{
    Fixture *f = opaque;

    f->n_sent++;
    f->address = address;
    f->data = data;
}

/* A kernel that listens to eventfds: by number, what it would send. */
typedef struct {
    int fd[8];
    uint32_t data[8];
    bool refuses;
} Kernel;

static int kernel_attach(void *backend, int fd, uint64_t address, uint32_t data)
{
    Kernel *kernel = backend;

    for (int i = 0; i < 8 && !kernel->refuses; i++)
        if (kernel->fd[i] == 0) {
            kernel->fd[i] = fd;
            kernel->data[i] = data;
            return i;
        }
    return -1;
}

static void kernel_detach(void *backend, int number, int fd)
{
    Kernel *kernel = backend;

    assert_int_equal(kernel->fd[number], fd);
    kernel->fd[number] = 0;
}

static const CpuOps kernel_ops = { .name = "kernel",
                                   .attach_message = kernel_attach,
                                   .detach_message = kernel_detach };

/* The messages that the kernel has been given since it last looked. */
static unsigned kernel_take(const Kernel *kernel, uint32_t data)
{
    eventfd_t count = 0;

    for (unsigned i = 0; i < 8; i++)
        if (kernel->fd[i] && kernel->data[i] == data && eventfd_read(kernel->fd[i], &count) == 0)
            return (unsigned)count;
    return 0;
}

static void set_control(Fixture *f, uint16_t value)
{
    pci_config_write(f->bus, 0, DEVFN, CONTROL, 2, value);
}

static void set_entry(Fixture *f, unsigned vector, uint32_t data, bool masked)
{
    msix_write(&f->card->msix, vector * 16, ADDRESS);
    msix_write(&f->card->msix, vector * 16 + 4, 0);
    msix_write(&f->card->msix, vector * 16 + 8, data);
    msix_write(&f->card->msix, vector * 16 + 12, masked);
}

static int setup(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->memory = address_space_new("memory", UINT64_C(1) << 40);
    f->ports = address_space_new("ports", 1 << 16);
    f->bus = pci_bus_new(f->memory, f->ports, on_intx, on_message, f);
    f->card = device_alloc(&card_ops, "card");
    pci_device_init(&f->card->pci, f->bus, DEVFN,
                    &(PciIdentity){ .vendor = 0x1234, .interrupt_pin = 1 });
    pci_device_bar_mem(&f->card->pci, 1, PCI_BAR_MEM32, MSIX_WINDOW_SIZE, 0);
    msix_init(&f->card->msix, &f->card->pci, N_VECTORS, 1);
    f->card->pci.config_written = card_written;
    pci_config_write(f->bus, 0, DEVFN, 4, 2, 6);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    Fixture *f = *state;

    msix_clear(&f->card->msix);
    pci_device_clear(&f->card->pci);
    device_free(&f->card->pci.dev);
    pci_bus_free(f->bus);
    address_space_free(f->memory);
    address_space_free(f->ports);
    g_free(f);
    return 0;
}

static void an_open_vector_sends_its_message(void **state)
{
    Fixture *f = *state;

    set_control(f, ENABLE);
    set_entry(f, 1, 0x41, false);
    msix_signal(&f->card->msix, 1);
    assert_int_equal(f->n_sent, 1);
    assert_int_equal(f->address, ADDRESS);
    assert_int_equal(f->data, 0x41);
    msix_signal(&f->card->msix, N_VECTORS); /* there is none */
    msix_signal(&f->card->msix, 0xFFFF);
    assert_int_equal(f->n_sent, 1);
}

static void a_masked_vector_waits_and_is_seen_to(void **state)
{
    Fixture *f = *state;

    set_control(f, ENABLE);
    set_entry(f, 2, 0x42, true);
    msix_signal(&f->card->msix, 2);
    msix_signal(&f->card->msix, 2);
    assert_int_equal(f->n_sent, 0);
    assert_int_equal(msix_read(&f->card->msix, MSIX_PENDING_OFFSET, 4), 4);
    msix_write(&f->card->msix, 2 * 16 + 12, 0);
    assert_int_equal(f->n_sent, 1);
    assert_int_equal(msix_read(&f->card->msix, MSIX_PENDING_OFFSET, 4), 0);
}

static void the_mask_of_all_holds_all(void **state)
{
    Fixture *f = *state;

    set_control(f, ENABLE | MASK_ALL);
    set_entry(f, 0, 0x40, false);
    set_entry(f, 1, 0x41, true);
    msix_signal(&f->card->msix, 0);
    msix_signal(&f->card->msix, 1);
    assert_int_equal(f->n_sent, 0);
    set_control(f, ENABLE);
    assert_int_equal(f->n_sent, 1);
    assert_int_equal(f->data, 0x40);
    assert_int_equal(msix_read(&f->card->msix, MSIX_PENDING_OFFSET, 4), 2);
}

static void a_device_that_may_not_write_sends_nothing(void **state)
{
    Fixture *f = *state;

    set_control(f, ENABLE);
    set_entry(f, 0, 0x40, false);
    pci_config_write(f->bus, 0, DEVFN, 4, 2, 2);
    msix_signal(&f->card->msix, 0);
    assert_int_equal(f->n_sent, 0);
    pci_config_write(f->bus, 0, DEVFN, 4, 2, 6);
    assert_int_equal(f->n_sent, 1);
}

static void messages_replace_the_level(void **state)
{
    Fixture *f = *state;

    pci_device_set_irq(&f->card->pci, true);
    assert_true(f->intx);
    set_control(f, ENABLE);
    assert_false(f->intx);
}

/* Vector 0 is open, goes through @kernel, and was signalled once. */
static void signal_by_kernel(Fixture *f, Kernel *kernel)
{
    msi_router_attach(pci_bus_msi_router(f->bus), &kernel_ops, kernel);
    set_control(f, ENABLE);
    set_entry(f, 0, 0x40, false);
    msix_signal(&f->card->msix, 0);
}

static void an_open_vector_is_the_kernels(void **state)
{
    Fixture *f = *state;
    Kernel kernel = { 0 };

    signal_by_kernel(f, &kernel);
    assert_int_equal(f->n_sent, 0);
    assert_int_equal(kernel_take(&kernel, 0x40), 1);
    msix_write(&f->card->msix, 8, 0x50); /* another message */
    msix_signal(&f->card->msix, 0);
    assert_int_equal(kernel_take(&kernel, 0x40), 0);
    assert_int_equal(kernel_take(&kernel, 0x50), 1);
    kernel.refuses = true;
    set_entry(f, 1, 0x41, false);
    msix_signal(&f->card->msix, 1);
    assert_int_equal(f->n_sent, 1);
    msi_router_detach(pci_bus_msi_router(f->bus));
}

/* A signal that the kernel was given and had not looked at when it was told to stop. */
static void what_was_on_its_way_is_pending_behind_a_mask(void **state)
{
    Fixture *f = *state;
    Kernel kernel = { 0 };

    signal_by_kernel(f, &kernel);
    msix_write(&f->card->msix, 12, 1);
    assert_int_equal(f->n_sent, 0);
    assert_int_equal(msix_read(&f->card->msix, MSIX_PENDING_OFFSET, 4), 1);
    assert_int_equal(kernel.fd[0], 0);
    msix_signal(&f->card->msix, 0); /* not to the kernel */
    msix_write(&f->card->msix, 12, 0);
    assert_int_equal(f->n_sent, 1);
    msi_router_detach(pci_bus_msi_router(f->bus));
}

static void what_was_on_its_way_is_sent_when_the_cpu_goes(void **state)
{
    Fixture *f = *state;
    Kernel kernel = { 0 }, other = { 0 };
    MsiRouter *router = pci_bus_msi_router(f->bus);

    msi_router_attach(router, &kernel_ops, &kernel);
    set_control(f, ENABLE);
    set_entry(f, 0, 0x40, false);
    msix_signal(&f->card->msix, 0);
    msi_router_detach(router);
    assert_int_equal(f->n_sent, 1);
    msix_signal(&f->card->msix, 0); /* between two CPUs */
    assert_int_equal(f->n_sent, 2);
    msi_router_attach(router, &kernel_ops, &other);
    msix_signal(&f->card->msix, 0);
    assert_int_equal(f->n_sent, 2);
    assert_int_equal(kernel_take(&other, 0x40), 1);
    msi_router_detach(router);
}

#define N_ROUNDS 20000

typedef struct {
    Fixture *f;
    unsigned begun, ended; /* atomic: rounds */
} Race;

static void wait_for_round(const unsigned *counter, unsigned round)
{
    while (__atomic_load_n(counter, __ATOMIC_SEQ_CST) < round)
        g_thread_yield();
}

static gpointer signal_each_round(gpointer data)
{
    Race *race = data;

    for (unsigned round = 1; round <= N_ROUNDS; round++) {
        wait_for_round(&race->begun, round);
        msix_signal(&race->f->card->msix, 0);
        __atomic_store_n(&race->ended, round, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* In each round a signal and the end of a CPU race; the signal is with one or the other. */
static void a_signal_while_the_cpu_goes_is_not_lost(void **state)
{
    Fixture *f = *state;
    Kernel kernel = { 0 };
    MsiRouter *router = pci_bus_msi_router(f->bus);
    Race race = { .f = f };
    GRecMutex lock;

    g_rec_mutex_init(&lock);
    f->card->pci.dev.lock = &lock;
    set_control(f, ENABLE);
    set_entry(f, 0, 0x40, false);
    GThread *thread = g_thread_new("signals", signal_each_round, &race);
    for (unsigned round = 1; round <= N_ROUNDS; round++) {
        g_rec_mutex_lock(&lock);
        msi_router_attach(router, &kernel_ops, &kernel);
        g_rec_mutex_unlock(&lock);
        __atomic_store_n(&race.begun, round, __ATOMIC_SEQ_CST);
        for (volatile unsigned i = 0; i < round % 200; i++)
            ;
        g_rec_mutex_lock(&lock);
        unsigned n = kernel_take(&kernel, 0x40);
        msi_router_detach(router);
        g_rec_mutex_unlock(&lock);
        wait_for_round(&race.ended, round);
        assert_int_equal(n + f->n_sent, 1);
        f->n_sent = 0;
    }
    g_thread_join(thread);
    f->card->pci.dev.lock = NULL;
    g_rec_mutex_clear(&lock);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_open_vector_sends_its_message),
        TEST(a_masked_vector_waits_and_is_seen_to),
        TEST(the_mask_of_all_holds_all),
        TEST(a_device_that_may_not_write_sends_nothing),
        TEST(messages_replace_the_level),
        TEST(an_open_vector_is_the_kernels),
        TEST(what_was_on_its_way_is_pending_behind_a_mask),
        TEST(what_was_on_its_way_is_sent_when_the_cpu_goes),
        TEST(a_signal_while_the_cpu_goes_is_not_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
