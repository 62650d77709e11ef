/* SPDX-License-Identifier: MIT
 *
 * fuzz_request.c - what a fork server is sent, and what a child of it takes over: messages of any bytes with any descriptors
 * beside them, what a copy says on its line, and an environment. What is no request is none, no descriptor is left open, and
 * nobody waits for what is there.
 *
 *     input: messages, each some bytes that say how it is, and the bytes that are sent; or an environment
 */
#include "fuzz.h"
#include "os/posix/posix.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST       253 /* descriptors that a message can carry */
#define MESSAGES   4
#define MOST_BYTES 1100

extern char **environ;

/* The number that the next descriptor will have: the same as long as none is left open. */
static int next_descriptor(void)
{
    int next = dup(STDERR_FILENO);
    FUZZ_CHECK(next >= 0 && close(next) == 0);
    return next;
}

/* ---- messages ---------------------------------------------------------------------------------------------------- */

/* How many descriptors went with it: musl sends no more than one message of libmp's has. */
static size_t send_message(intptr_t client, const unsigned char *bytes, size_t size, size_t descriptors)
{
    static union {
        struct cmsghdr align;
        unsigned char room[CMSG_SPACE(MOST * sizeof(int))];
    } control;
    struct iovec data = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
    int same[MOST];
    if (descriptors > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = (__typeof__(message.msg_controllen))CMSG_SPACE(descriptors * sizeof(int));
        struct cmsghdr *part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = (__typeof__(part->cmsg_len))CMSG_LEN(descriptors * sizeof(int));
        for (size_t i = 0; i < descriptors; i++) same[i] = STDERR_FILENO;
        memcpy(CMSG_DATA(part), same, descriptors * sizeof(int));
    }
    ssize_t sent = sendmsg((int)client, &message, MSG_NOSIGNAL);
    if (sent < 0 && descriptors > MP_OS__BAGGAGE_MAX) return send_message(client, bytes, size, MP_OS__BAGGAGE_MAX);
    FUZZ_CHECK(sent == (ssize_t)size);
    return descriptors;
}

/* Bytes that look like a request, or do not. */
static size_t make_message(struct fuzz_input *input, unsigned char bytes[MOST_BYTES], size_t *descriptors)
{
    uint8_t how = fuzz_byte(input), count = fuzz_byte(input);
    uint64_t tag = fuzz_word(input);
    int32_t says = how & 1 ? (int32_t)fuzz_word(input) : count;
    size_t size = 12 + (size_t)count * 4;
    *descriptors = how & 2 ? fuzz_byte(input) % (MOST + 1) : count;
    if (*descriptors > MOST) *descriptors = MOST;
    if (how & 4) size = fuzz_short(input) % MOST_BYTES;
    memset(bytes, 0, MOST_BYTES);
    memcpy(bytes, &tag, sizeof tag);
    memcpy(bytes + 8, &says, sizeof says);
    fuzz_bytes(input, bytes + 12, fuzz_byte(input));
    return size;
}

/* The one that is there: whose it is, and then itself. */
static void take_message(intptr_t server, intptr_t line, const unsigned char *bytes, size_t size, size_t descriptors)
{
    uint64_t whose = 0, tag = 0, first = 0;
    int32_t count = 0;
    mp_os_baggage *baggage = NULL;
    int next = next_descriptor();
    memcpy(&first, bytes, sizeof first);
    memcpy(&count, bytes + 8, sizeof count);
    bool whole = size >= 12 && count >= 0 && size - 12 == (size_t)count * 4 && count <= MP_OS__BAGGAGE_MAX;
    bool seen = mp_os_channel_next(server, line, &whose) == 0;
    FUZZ_CHECK(seen == (size >= 8) && (!seen || whose == first));
    int error = mp_os_channel_take(server, &tag, &baggage);
    if (size == 0) /* is as if nobody were left, if nothing comes with it */
        FUZZ_CHECK(tag == 0 && !baggage && error == (descriptors ? 0 : mp_os_egone));
    else if (size < MOST_BYTES && !whole && size < 12 + MP_OS__BAGGAGE_MAX * 4)
        FUZZ_CHECK(tag == 0 && !baggage && error == 0);
    if (whole) FUZZ_CHECK(tag == first);
    if (whole && (size_t)count == descriptors) {
        FUZZ_CHECK(baggage && error == 0 && baggage->count == count);
        FUZZ_CHECK(memcmp(baggage->wanted, bytes + 12, (size_t)count * 4) == 0);
    }
    if (error) FUZZ_CHECK(!baggage);
    if (baggage) FUZZ_CHECK(baggage->count >= 0 && baggage->count <= MP_OS__BAGGAGE_MAX);
    mp_os_baggage_drop(baggage);
    FUZZ_CHECK(next_descriptor() == next);
}

/* Nobody is at the other end any more: which may take a moment to be so, or be asked again. */
static bool is_over(intptr_t server)
{
    for (int i = 0; i < 1000; i++) {
        uint64_t tag;
        mp_os_baggage *baggage = NULL;
        struct pollfd one = {.fd = (int)server, .events = POLLIN};
        int error = mp_os_channel_take(server, &tag, &baggage);
        if (error == mp_os_egone) return true;
        FUZZ_CHECK(error == 0 && tag == 0 && !baggage);
        (void)poll(&one, 1, 10);
    }
    return false;
}

static void messages(struct fuzz_input *input)
{
    unsigned char bytes[MOST_BYTES];
    intptr_t server, client, here, there;
    uint64_t identity[2], tag;
    mp_os_baggage *baggage = NULL;
    FUZZ_CHECK(mp_os_channel_create(&server, &client, identity) == 0 && mp_os_line_create(&here, &there) == 0);
    for (int i = 0; i < MESSAGES && fuzz_left(input); i++) {
        size_t descriptors, size = make_message(input, bytes, &descriptors);
        descriptors = send_message(client, bytes, size, descriptors);
        take_message(server, there, bytes, size, descriptors);
    }
    FUZZ_CHECK(mp_os_channel_take(server, &tag, &baggage) == 0 && tag == 0 && !baggage); /* there is none */
    mp_os_channel_close(client);
    FUZZ_CHECK(is_over(server));
    mp_os_channel_close(server);
    mp_os_channel_close(here);
    mp_os_channel_close(there);
}

/* ---- a line ------------------------------------------------------------------------------------------------------ */

static void line(struct fuzz_input *input)
{
    unsigned char bytes[32];
    intptr_t here, there;
    FUZZ_CHECK(mp_os_line_create(&here, &there) == 0);
    for (int i = 0; i < MESSAGES && fuzz_left(input); i++) {
        size_t size = fuzz_byte(input) % sizeof bytes;
        uint64_t number = 0;
        fuzz_bytes(input, bytes, sizeof bytes);
        memcpy(&number, bytes, sizeof number);
        (void)send_message(there, bytes, size, 0);
        uint64_t said = mp_os_line_said(here);
        FUZZ_CHECK(size < sizeof number ? said == 0 : said == number);
    }
    mp_os_channel_close(there);
    FUZZ_CHECK(mp_os_line_said(here) == 0);
    mp_os_channel_close(here);
}

/* ---- an environment ---------------------------------------------------------------------------------------------- */

/* One that was packed, changed: the numbers in front, or any byte, or its end. */
static void setting(struct fuzz_input *input)
{
    static char *own[] = {"A=1", "B=", "LONGER=than that", NULL}, **before;
    static unsigned char packed[4096];
    const mp_os_launch launch = {.bootstrap = NULL};
    before = environ;
    environ = own;
    size_t size = mp_os_setting_pack(packed, sizeof packed, &launch), head = size - 3 - 4 - 17 - 1;
    FUZZ_CHECK(size <= sizeof packed);
    uint8_t how = fuzz_byte(input);
    uint64_t words[2];
    memcpy(words, packed, sizeof words); /* how many variables, and how many bytes */
    if (how & 1) words[0] = fuzz_word(input);
    if (how & 2) words[1] = fuzz_word(input);
    if (how & 4) words[0] = fuzz_byte(input);
    if (how & 8) words[1] = fuzz_byte(input);
    memcpy(packed, words, sizeof words);
    if (how & 16) fuzz_bytes(input, packed + head, fuzz_byte(input));
    if (how & 32) size = fuzz_short(input) % (size + 64);
    unsigned char *copy = malloc(size ? size : 1); /* as large as it is */
    FUZZ_CHECK(copy);
    memcpy(copy, packed, size);
    int error = mp_os__setting_environment(copy, size);
    free(copy);
    FUZZ_CHECK(error == 0 || (error == EINVAL && environ == own));
    size_t count = 0, bytes = 0;
    for (char **variable = environ; *variable; variable++, count++) bytes += strlen(*variable) + 1;
    if (error == 0) FUZZ_CHECK(count <= words[0] && bytes <= words[1]);
    if (environ != own) free(environ);
    environ = before;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = fuzz_begin(data, size);
    if (!mp_os_has_forkserver()) return 0;
    int next = next_descriptor();
    switch (fuzz_byte(&input) % 4) {
    case 0:
        line(&input);
        break;
    case 1:
        setting(&input);
        break;
    default:
        messages(&input);
    }
    FUZZ_CHECK(next_descriptor() == next);
    return 0;
}
