/* SPDX-License-Identifier: GPL-3.0-or-later
 * Copyright the Vitrine developers */
/* A library to be preloaded that makes this host look like another to whoever asks for KVM. What
 * it pretends is in KVM_HOST, words separated by blanks:
 *
 *   open=ERRNO        /dev/kvm does not open
 *   opens=N           it does N times, and is gone then
 *   node=PATH         that file lies at /dev/kvm, for open and stat; with open=, for stat alone
 *   member=USER       is in every group
 *   root=FOLDER       /proc/cpuinfo, /proc/misc and /sys/module are FOLDER's
 *   api=VERSION       of KVM's interface
 *   lacks=NUMBER      the capability is not there
 *   can=all           its processor has every feature there is
 *   fail=IOCTL:ERRNO  that ioctl fails, "KVM_CREATE_VM"
 *   run=never         KVM_RUN does not come back and hears no signal
 *   run=stuck:PATH    the same as soon as that file is there
 *   run=exit:NUMBER   it comes back with that exit reason
 *   run=wrong         what the guest says at ports is off by one
 *   guest=HEX         the guest's memory at its entry begins so
 *
 * All that is not named goes to the host's own. */

/* Built without _FILE_OFFSET_BITS: open and open64 are two names here. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NODE "/dev/kvm"
#define GUEST_ENTRY 0x1000

/* --- The words --- */

/* The rest of the word that begins with @key and, if not NULL, with @then; or NULL. */
static const char *find(const char *key, const char *then)
{
    const char *at = getenv("KVM_HOST");
    size_t length = strlen(key), more = then ? strlen(then) : 0;
    while (at && *at) {
        if (strncmp(at, key, length) == 0 && (!then || strncmp(at + length, then, more) == 0))
            return at + length + more;
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    return NULL;
}

static int to_errno(const char *word)
{
    static const struct {
        const char *name;
        int number;
    } errnos[] = { { "EPERM", EPERM },          { "ENOENT", ENOENT },
                   { "EINTR", EINTR },          { "EIO", EIO },
                   { "ENXIO", ENXIO },          { "EAGAIN", EAGAIN },
                   { "ENOMEM", ENOMEM },        { "EACCES", EACCES },
                   { "EFAULT", EFAULT },        { "EBUSY", EBUSY },
                   { "EEXIST", EEXIST },        { "ENODEV", ENODEV },
                   { "EINVAL", EINVAL },        { "EMFILE", EMFILE },
                   { "ENOTTY", ENOTTY },        { "ENOSPC", ENOSPC },
                   { "ENOSYS", ENOSYS },        { "E2BIG", E2BIG },
                   { "EOPNOTSUPP", EOPNOTSUPP } };
    size_t length = strcspn(word, " ");
    for (unsigned i = 0; i < sizeof(errnos) / sizeof(errnos[0]); i++)
        if (strlen(errnos[i].name) == length && strncmp(word, errnos[i].name, length) == 0)
            return errnos[i].number;
    fprintf(stderr, "KVM_HOST: no such errno: %s\n", word);
    abort();
}

static const char *ioctl_name(unsigned long request)
{
#define CASE(name)                                                                                 \
    case name: return #name;
    switch (request) {
        CASE(KVM_GET_API_VERSION)
        CASE(KVM_CREATE_VM)
        CASE(KVM_CHECK_EXTENSION)
        CASE(KVM_GET_VCPU_MMAP_SIZE)
        CASE(KVM_GET_SUPPORTED_CPUID)
        CASE(KVM_GET_MSR_INDEX_LIST)
        CASE(KVM_SET_IDENTITY_MAP_ADDR)
        CASE(KVM_SET_TSS_ADDR)
        CASE(KVM_ENABLE_CAP)
        CASE(KVM_SET_USER_MEMORY_REGION)
        CASE(KVM_GET_DIRTY_LOG)
        CASE(KVM_SET_GSI_ROUTING)
        CASE(KVM_SIGNAL_MSI)
        CASE(KVM_CREATE_VCPU)
        CASE(KVM_SET_CPUID2)
        CASE(KVM_GET_REGS)
        CASE(KVM_SET_REGS)
        CASE(KVM_GET_SREGS)
        CASE(KVM_SET_SREGS)
        CASE(KVM_GET_MSRS)
        CASE(KVM_SET_MSRS)
        CASE(KVM_GET_LAPIC)
        CASE(KVM_SET_LAPIC)
        CASE(KVM_GET_XSAVE)
        CASE(KVM_SET_XSAVE)
        CASE(KVM_GET_XCRS)
        CASE(KVM_SET_XCRS)
        CASE(KVM_GET_DEBUGREGS)
        CASE(KVM_SET_DEBUGREGS)
        CASE(KVM_GET_VCPU_EVENTS)
        CASE(KVM_SET_VCPU_EVENTS)
        CASE(KVM_GET_MP_STATE)
        CASE(KVM_SET_MP_STATE)
        CASE(KVM_SET_SIGNAL_MASK)
        CASE(KVM_X86_SET_MSR_FILTER)
        CASE(KVM_INTERRUPT)
        CASE(KVM_NMI)
        CASE(KVM_RUN)
    }
#undef CASE
    return "?";
}

/* --- Files --- */

static const char *redirect(const char *path, char room[4096])
{
    static const char *const ours[] = { "/proc/cpuinfo", "/proc/misc", "/sys/module" };
    const char *node = find("node=", NULL), *root = find("root=", NULL);
    if (strcmp(path, NODE) == 0 && node) {
        snprintf(room, 4096, "%.*s", (int)strcspn(node, " "), node);
        return room;
    }
    for (unsigned i = 0; root && i < 3; i++)
        if (strncmp(path, ours[i], strlen(ours[i])) == 0) {
            snprintf(room, 4096, "%.*s%s", (int)strcspn(root, " "), root, path);
            return room;
        }
    return path;
}

/* 0, or why /dev/kvm is not to be opened. */
static int refuse_open(const char *path)
{
    static atomic_uint n_opened;
    if (strcmp(path, NODE) != 0)
        return 0;
    const char *error = find("open=", NULL), *limit = find("opens=", NULL);
    if (error)
        return to_errno(error);
    return limit && atomic_fetch_add(&n_opened, 1) >= (unsigned)atoi(limit) ? ENOENT : 0;
}

static int open_as(const char *name, const char *path, int flags, mode_t mode)
{
    int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, name);
    char room[4096];
    int error = refuse_open(path);
    if (error) {
        errno = error;
        return -1;
    }
    return real(redirect(path, room), flags, mode);
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...)                                                     \
    {                                                                                              \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;                  \
        va_end(rest);                                                                              \
        return open_as(#name, path, flags, mode);                                                  \
    }
#undef open
#undef open64
OPEN(open)
OPEN(open64)

int stat(const char *path, struct stat *about)
{
    int (*real)(const char *, struct stat *) = dlsym(RTLD_NEXT, "stat");
    char room[4096];
    return real(redirect(path, room), about);
}

int stat64(const char *path, struct stat64 *about)
{
    int (*real)(const char *, struct stat64 *) = dlsym(RTLD_NEXT, "stat64");
    char room[4096];
    return real(redirect(path, room), about);
}

int access(const char *path, int mode)
{
    int (*real)(const char *, int) = dlsym(RTLD_NEXT, "access");
    char room[4096];
    return real(redirect(path, room), mode);
}

int getgrgid_r(gid_t id, struct group *group, char *room, size_t length, struct group **found)
{
    int (*real)(gid_t, struct group *, char *, size_t, struct group **) =
        dlsym(RTLD_NEXT, "getgrgid_r");
    static char name[64];
    static char *members[] = { name, NULL };
    int result = real(id, group, room, length, found);
    const char *member = find("member=", NULL);
    if (result == 0 && *found && member) {
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(member, " "), member);
        (*found)->gr_mem = members;
    }
    return result;
}

/* --- KVM --- */

static _Atomic int vcpu_fd = -1;
static struct kvm_run *_Atomic shared; /* with a vCPU; tests have one */

static void *map_as(const char *name, void *at, size_t length, int protection, int flags, int fd,
                    off_t offset)
{
    void *(*real)(void *, size_t, int, int, int, off_t) = dlsym(RTLD_NEXT, name);
    void *mapped = real(at, length, protection, flags, fd, offset);
    if (fd >= 0 && fd == vcpu_fd && offset == 0 && mapped != MAP_FAILED)
        shared = mapped;
    return mapped;
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    return map_as("mmap", at, length, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset)
{
    return map_as("mmap64", at, length, protection, flags, fd, offset);
}

static void spoil_guest(const struct kvm_userspace_memory_region *slot)
{
    const char *hex = find("guest=", NULL);
    uint8_t *at = (uint8_t *)(uintptr_t)slot->userspace_addr + GUEST_ENTRY;
    unsigned byte;
    for (; hex && slot->guest_phys_addr == 0 && sscanf(hex, "%2x", &byte) == 1; hex += 2)
        *at++ = byte;
}

static bool is_stuck(void)
{
    const char *path = find("run=", "stuck:");
    char file[4096];
    if (!path)
        return false;
    snprintf(file, sizeof(file), "%.*s", (int)strcspn(path, " "), path);
    return faccessat(AT_FDCWD, file, F_OK, 0) == 0;
}

static void spoil_exit(void)
{
    const char *reason = find("run=", "exit:");
    if (reason && shared)
        shared->exit_reason = atoi(reason);
    if (find("run=", "wrong") && shared && shared->exit_reason == KVM_EXIT_IO)
        ++*((uint8_t *)shared + shared->io.data_offset);
}

/* What the guest is told of it is another matter: it uses what it finds. */
static void add_features(struct kvm_cpuid2 *table)
{
    for (unsigned i = 0; i < table->nent; i++) {
        struct kvm_cpuid_entry2 *entry = &table->entries[i];
        if (entry->function == 7)
            entry->ebx = UINT32_MAX;
        if (entry->function == 1 || entry->function == 7 || entry->function == 0x80000001)
            entry->ecx = entry->edx = UINT32_MAX;
    }
}

int ioctl(int fd, unsigned long request, ...)
{
    int (*real)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (_IOC_TYPE(request) != KVMIO)
        return real(fd, request, argument);

    char key[64];
    snprintf(key, sizeof(key), "%s:", ioctl_name(request));
    const char *error = find("fail=", key), *version = find("api=", NULL);
    if (error) {
        errno = to_errno(error);
        return -1;
    }
    if (request == KVM_GET_API_VERSION && version)
        return atoi(version);
    const char *lacks = find("lacks=", NULL);
    if (request == KVM_CHECK_EXTENSION && lacks && atol(lacks) == (long)(uintptr_t)argument)
        return 0;
    if (request == KVM_SET_USER_MEMORY_REGION)
        spoil_guest(argument);
    while (request == KVM_RUN && (find("run=", "never") || is_stuck()))
        pause();
    int result = real(fd, request, argument);
    if (request == KVM_CREATE_VCPU)
        vcpu_fd = result;
    if (request == KVM_GET_SUPPORTED_CPUID && result == 0 && find("can=", "all"))
        add_features(argument);
    if (request == KVM_RUN && result == 0)
        spoil_exit();
    return result;
}
