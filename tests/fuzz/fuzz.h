/* SPDX-License-Identifier: MIT
 *
 * fuzz.h - what the fuzz targets share. A target is one function that takes any bytes and calls abort() if something does not
 * hold. With clang and MP_BUILD_FUZZ libFuzzer runs it; in each other build driver.c does, with the corpus and what becomes of
 * that by chance, the same each time.
 */
#ifndef MP_TESTS_FUZZ_H
#define MP_TESTS_FUZZ_H

#include <mp/mp.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Has to hold: or it says what does not, and aborts. */
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_fail(const char *what, const char *file, int line);

/* An input is taken from its front; behind its end it is zeros. */
struct fuzz_input {
    const uint8_t *at, *end;
};

static inline struct fuzz_input fuzz_begin(const uint8_t *data, size_t size)
{
    return (struct fuzz_input){data, data + size};
}
static inline size_t fuzz_left(const struct fuzz_input *input)
{
    return (size_t)(input->end - input->at);
}
static inline uint8_t fuzz_byte(struct fuzz_input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}
static inline void fuzz_bytes(struct fuzz_input *input, void *bytes, size_t size)
{
    size_t some = size < fuzz_left(input) ? size : fuzz_left(input);
    memset(bytes, 0, size);
    if (some) memcpy(bytes, input->at, some);
    input->at += some;
}
static inline uint16_t fuzz_short(struct fuzz_input *input)
{
    uint8_t low = fuzz_byte(input);
    return (uint16_t)(low | fuzz_byte(input) << 8);
}
static inline uint64_t fuzz_word(struct fuzz_input *input)
{
    uint64_t word;
    fuzz_bytes(input, &word, sizeof word);
    return word;
}

/* The result of a call of libmp's: 0 or more, or an error that has a name. */
int fuzz_result(int result);
/* What the family has is what it had when this was called first. */
void fuzz_check_balance(void);

#endif
