import shutil


def handler(event, context):
    """Look whether everything is well; raise where it is not, and the alarm goes off."""
    disk = shutil.disk_usage("/tmp")
    free = disk.free / disk.total
    print(f"{free:.0%} of the disk are free")
    if free < 0.05:
        raise RuntimeError("the disk is almost full")
    return {"free": round(free, 3)}
