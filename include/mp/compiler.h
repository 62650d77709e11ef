/* SPDX-License-Identifier: MIT
 *
 * mp/compiler.h - what differs between compilers and platforms, so that no other header needs to know.
 */
#ifndef MP_COMPILER_H
#define MP_COMPILER_H

#include <stddef.h>
#include <stdint.h>

/** \def MP_BEGIN
 * What follows, up to MP_END, is C, in C++, too. */
/** \def MP_END
 * Of what begins with MP_BEGIN. */
#ifdef __cplusplus
#define MP_BEGIN extern "C" {
#define MP_END   }
#else
#define MP_BEGIN
#define MP_END
#endif

/** A function of libmp. MP_STATIC is defined in a program that contains its objects (by the CMake target mp::static, and by
 * pkgconf --static); it makes a difference on Windows. */
#if defined(MP_STATIC)
#define MP_API
#elif defined(_WIN32) && defined(MP_BUILD)
#define MP_API __declspec(dllexport)
#elif defined(_WIN32)
#define MP_API __declspec(dllimport)
#elif defined(__GNUC__)
#define MP_API __attribute__((visibility("default")))
#else
#define MP_API
#endif

/** On functions that hand something out or let somebody in; never on what clean-up calls (join, terminate, release,
 * close, destroy): GCC warns there even after a cast to void. */
#if defined(__cplusplus) && __cplusplus >= 201703L
#define MP_NODISCARD [[nodiscard]]
#elif defined(__GNUC__)
#define MP_NODISCARD __attribute__((warn_unused_result))
#else
#define MP_NODISCARD
#endif

/** A variable at whose end that function is called, by compilers that can do so. */
#if defined(__GNUC__)
#define MP_CLEANUP(function) __attribute__((cleanup(function)))
#else
#define MP_CLEANUP(function)
#endif

/** What an event loop watches, and a child can be made to keep: a descriptor, or a HANDLE. */
#ifdef _WIN32
typedef void *mp_fd;
#else
typedef int mp_fd;
#endif

/** Wait as long as it takes. A negative timeout is one that is already over: it polls, like 0. */
#define MP_FOREVER INT64_MAX

#endif
