/* SPDX-License-Identifier: MIT
 *
 * mp/shared.h - Value, Array, and blocks of shared memory.
 *
 * Zeroed when created, aligned to 64 bytes, known to every process of the family by handle. Addresses differ between
 * processes, so keep handles, not pointers, inside shared memory. A pointer stays valid until the object is destroyed;
 * what it points to may be used again for something else after that, but stays mapped.
 *
 *     static int add(void *args)
 *     {
 *         mp_value *total = args;
 *         MP_WITH_LOCK(*total) *MP_VALUE(long, *total) += 1;
 *         return 0;
 *     }
 */
#ifndef MP_SHARED_H
#define MP_SHARED_H

#include <mp/error.h>
#include <mp/handle.h>
#include <stdbool.h>

MP_BEGIN

/** Of a value or an array. All zero: with a lock of its own. */
typedef struct mp_shared_options {
    const char *name; /**< for people; copied, the first 31 bytes count */
    bool raw;         /**< RawValue, RawArray: no lock */
    mp_rlock lock;    /**< this one instead of its own, not destroyed with the object; a Lock as {lock.id} */
} mp_shared_options;

/**
 * Create a value: bytes that the family shares, with a lock that goes with them.
 *
 * \param value    receives the handle.
 * \param size     bytes, at least 1: sizeof of the type.
 * \param options  NULL: with an rlock of its own.
 * \returns 0, or
 *   MP_EINVAL      size is 0 or over the arena's limit, value is NULL, raw and lock together;
 *   MP_ENOMEM      the arena, or the machine, has not that much;
 *   MP_EBADHANDLE  options.lock is no lock and no rlock;
 *   MP_ELIMIT      the family has as many objects as an arena of its size can name.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Value(type), RawValue(type)
 */
MP_NODISCARD MP_API int mp_value_create(mp_value *value, size_t size, const mp_shared_options *options);

/**
 * Where a value lies in this process.
 *
 * \param value  the value.
 * \param size   the size you believe it to have.
 * \returns its first byte; NULL if it has another size or the handle names none.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Value.value, get_obj()
 */
MP_API void *mp_value_data(mp_value value, size_t size);

/**
 * The size of a value.
 *
 * \returns its bytes; 0 if the handle names none.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        ctypes.sizeof(Value.get_obj())
 */
MP_API size_t mp_value_size(mp_value value);

/**
 * The lock of a value: an rlock of its own, or the lock or rlock it was created with.
 *
 * \returns it; {0} if it is raw or the handle names none. If it was created with a lock, this is that lock's handle: use it as
 *   (mp_lock){rlock.id}. MP_WITH_LOCK(value) holds either, and is shorter.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Value.get_lock()
 */
MP_API mp_rlock mp_value_get_lock(mp_value value);

/**
 * Destroy a value, and its own lock with it.
 *
 * \returns 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, once.
 * \python        none: when the last reference goes
 */
MP_API int mp_value_destroy(mp_value value);

/**
 * Create an array of items of one size.
 *
 * \param array      receives the handle.
 * \param length     number of items; 0 is allowed.
 * \param item_size  bytes of one, at least 1.
 * \param options    NULL: with an rlock of its own.
 * \returns 0, or
 *   MP_EINVAL      item_size is 0, the whole is over the arena's limit, array is NULL, raw and lock together;
 *   MP_ENOMEM      the arena, or the machine, has not that much;
 *   MP_EBADHANDLE  options.lock is no lock and no rlock;
 *   MP_ELIMIT      the family has as many objects as an arena of its size can name.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Array(type, length), RawArray(type, length)
 */
MP_NODISCARD MP_API int mp_array_create(mp_array *array, size_t length, size_t item_size,
                                        const mp_shared_options *options);

/**
 * Where an array's first item lies in this process.
 *
 * \param array      the array.
 * \param item_size  the size you believe its items to have.
 * \returns the first item; NULL if they have another size or the handle names none. That of an array of length 0 is a
 *   valid address to compare, not to read.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Array.get_obj()
 */
MP_API void *mp_array_data(mp_array array, size_t item_size);

/**
 * The number of items.
 *
 * \returns it; 0 if the handle names none.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        len(array)
 */
MP_API size_t mp_array_length(mp_array array);

/**
 * The size of one item.
 *
 * \returns its bytes; 0 if the handle names none.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        ctypes.sizeof(Array.get_obj()._type_)
 */
MP_API size_t mp_array_item_size(mp_array array);

/**
 * The lock of an array.
 *
 * \returns as mp_value_get_lock.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        Array.get_lock()
 */
MP_API mp_rlock mp_array_get_lock(mp_array array);

/**
 * Destroy an array, and its own lock with it.
 *
 * \returns 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, once.
 * \python        none: when the last reference goes
 */
MP_API int mp_array_destroy(mp_array array);

/** MP_VALUE(int, value): an int *, or the end of the process if the value holds no int-sized thing. */
#define MP_VALUE(type, value) ((type *)mp_check_data(mp_value_data((value), sizeof(type)), #value, __FILE__, __LINE__))

/** MP_ARRAY(double, array): a double *, or the end of the process if its items are of another size. */
#define MP_ARRAY(type, array) ((type *)mp_check_data(mp_array_data((array), sizeof(type)), #array, __FILE__, __LINE__))

/**
 * Create a block of shared memory, without a lock.
 *
 * A block of 1 MiB or more is refused when the machine has not that much memory to give, and its memory is taken at
 * once, so that using it can not fail later; when it is destroyed the system gets that back (not on Windows, where it
 * stays for the next block).
 *
 * \param block  receives the handle.
 * \param size   bytes, at least 1.
 * \returns 0, or
 *   MP_EINVAL  size is 0 or over the arena's limit, or block is NULL;
 *   MP_ENOMEM  the arena, or the machine, has not that much;
 *   MP_ELIMIT  the family has as many objects as an arena of its size can name.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        shared_memory.SharedMemory(create=True, size=)
 */
MP_NODISCARD MP_API int mp_block_create(mp_block *block, size_t size);

/**
 * Where a block lies in this process.
 *
 * \returns its first byte; NULL if the handle names none.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        SharedMemory.buf
 */
MP_API void *mp_block_data(mp_block block);

/**
 * The size of a block.
 *
 * \returns its bytes, as asked for; 0 if the handle names none.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        SharedMemory.size
 */
MP_API size_t mp_block_size(mp_block block);

/**
 * The handle of a block.
 *
 * \param data  the address of its first byte in this process.
 * \returns the handle; {0} if no block begins there.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family.
 * \python        SharedMemory.name
 */
MP_API mp_block mp_block_of(const void *data);

/**
 * Destroy a block.
 *
 * \returns 0.
 *
 * \threadsafety  any thread.
 * \processes     any process of the family, once.
 * \python        SharedMemory.unlink()
 */
MP_API int mp_block_destroy(mp_block block);

MP_END
#endif
