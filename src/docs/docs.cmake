# SPDX-License-Identifier: MIT
# Target docs: the reference manual (docs/html) and man pages (docs/man3), where Doxygen and Python are. What was made is
# installed, too.
find_program(MP_DOXYGEN doxygen)
find_program(MP_SED sed)
mark_as_advanced(MP_DOXYGEN MP_SED)
mp_find_python()
set(MP_DOCS_STRICT NO)
if(MP_WERROR)
  set(MP_DOCS_STRICT FAIL_ON_WARNINGS)
endif()
set(MP_DOCS ${PROJECT_BINARY_DIR}/docs)
if(MP_DOXYGEN AND MP_SED AND MP_PYTHON)
  configure_file(src/docs/Doxyfile.in ${PROJECT_BINARY_DIR}/Doxyfile @ONLY)
  file(MAKE_DIRECTORY ${MP_DOCS})
  add_custom_target(docs
    COMMAND ${MP_DOXYGEN} ${PROJECT_BINARY_DIR}/Doxyfile
    COMMAND ${MP_PYTHON} ${PROJECT_SOURCE_DIR}/src/docs/man.py ${MP_DOCS}/xml ${MP_DOCS}/man3 ${PROJECT_VERSION}
    COMMENT "The manual: docs/html/index.html, docs/man3"
    VERBATIM)
endif()
