"""The backend ``cupy``: arrays on a CUDA device."""

from __future__ import annotations

import lockgate

__all__ = ["Cupy"]


@lockgate.plugin
class Cupy:
    """Compute with CuPy on the CUDA device number `device`."""

    device: int = lockgate.setting(0, at_least=0, help="number of the CUDA device")

    @lockgate.hookimpl
    def arrays(self) -> lockgate.Backend:
        """Return CuPy; BackendUnavailable where CuPy or the device is missing."""
        try:
            import cupy
            from array_api_compat import cupy as xp
        except ImportError:
            raise lockgate.BackendUnavailable(
                "backend cupy needs CuPy, which is not installed: "
                "pip install 'lockgate[cuda13]' (or cuda12), or choose backend=numpy"
            ) from None
        # importing CuPy works without a device; the first allocation would not
        if not cupy.is_available():
            raise lockgate.BackendUnavailable(
                "backend cupy needs a CUDA device, and this machine has none; choose backend=numpy"
            )
        if self.device >= (count := cupy.cuda.runtime.getDeviceCount()):
            raise lockgate.BackendUnavailable(
                f"backend.cupy.device is {self.device}, but this machine has {count} device(s), "
                "numbered from 0"
            )
        cupy.cuda.Device(self.device).use()
        return lockgate.Backend("cupy", xp, cupy.asarray, cupy.asnumpy)
