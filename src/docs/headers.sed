# What Doxygen gets to see of a public header: its opening comment, which begins with the licence, as documentation; nothing of
# what is no caller's; and lists of errors as lists.
1s,^/\* SPDX-License-Identifier: MIT$,/** \\file,
/\\cond/,/\\endcond/d
s,^ \*   \(MP_[A-Z]*\(\, MP_[A-Z]*\)*\)   *\([^ ]\), *   - \1: \3,
